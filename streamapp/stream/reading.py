"""Reads the records of topics outside the consumer group, each partition from one offset to another, in order.

In: where to begin and to end. Out: records as aiokafka unpacks them, by the batch. Waits for as long as Kafka is away.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.stream.fetching import make_records
from streamapp.telemetry import describe, get_log

log = get_log(__name__)

FETCH_WAIT_MS = 50
FETCH_BYTES = 1024 * 1024
"""Of one partition. Four times as much takes twice as long for a byte: answers of tens of MiB are memory that the
kernel has to hand out anew each time, and that no cache of the processor holds."""

RECORDS_AT_ONCE = 5_000
POLL_MS = 1_000
SILENCE_SECONDS = 10.0


async def read(
    bootstrap_servers: str,
    wanted: Mapping[TopicPartition, tuple[int, int]],
    take: Callable[[TopicPartition, Sequence[Any]], None],
) -> None:
    """Hand the records of each partition from its first offset to its second one (not included) to `take`, in order.

    Where the end has moved back meanwhile, because Kafka has lost a tail by a power cut, what is left is all there is.

    Raises:
        KafkaError or OSError: Kafka did not answer at the beginning; once it has, its absence is waited out.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    try:
        await consumer.start()
        make_records(consumer._fetcher, lambda _, record: record)
        rest = set(wanted)
        consumer.assign(list(wanted))
        for tp, (start, _) in wanted.items():
            consumer.seek(tp, start)
        heard = time.monotonic()
        while rest:
            fetched = await consumer.getmany(*rest, timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
            for tp, records in fetched.items():
                if records:
                    take(tp, records)
                await asyncio.sleep(0)
            rest = {tp for tp in rest if await consumer.position(tp) < wanted[tp][1]}
            if fetched:
                heard = time.monotonic()
            elif rest and time.monotonic() - heard >= SILENCE_SECONDS:
                heard = time.monotonic()
                log.warning("Kafka sends nothing of the changelogs", partitions=len(rest), seconds=SILENCE_SECONDS)
                rest -= await _cut(consumer, rest)
    finally:
        await consumer.stop()


async def _cut(consumer: AIOKafkaConsumer, rest: set[TopicPartition]) -> set[TopicPartition]:
    """Those that are read up to where they end now; none while Kafka does not say."""
    try:
        ends = await consumer.end_offsets(list(rest))
    except (KafkaError, OSError) as error:
        log.debug("Kafka does not say where the changelogs end", error=describe(error))
        return set()
    cut = {tp for tp in rest if await consumer.position(tp) >= ends[tp]}
    for tp in cut:
        log.warning("a changelog has become shorter while it was read", topic=tp.topic, partition=tp.partition)
    return cut
