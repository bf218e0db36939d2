"""Changelogs as a stranger sees them: rows with their headers, read and appended by plain clients."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.support.stack import PARTITIONS


@dataclass(frozen=True)
class Row:
    """One record."""

    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


async def read_rows(servers: str, topic: str) -> list[Row]:
    """Every row there is, in order within each partition."""
    tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    reader = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    await reader.start()
    try:
        reader.assign(tps)
        ends = await reader.end_offsets(tps)
        found: list[Row] = []
        while any([await reader.position(tp) < ends[tp] for tp in tps]):
            for tp, records in (await reader.getmany(*tps, timeout_ms=200)).items():
                found += [Row(tp.partition, item.key, item.value, tuple(item.headers)) for item in records]
        return found
    finally:
        await reader.stop()


async def append_rows(servers: str, topic: str, rows: Sequence[Row]) -> None:
    """Append rows as they are, headers included."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    try:
        for row in rows:
            await producer.send(topic, row.value, row.key, row.partition, headers=list(row.headers))
        await producer.flush()
    finally:
        await producer.stop()


async def last_rows(servers: str, topic: str) -> dict[tuple[int, bytes], bytes]:
    """The last value of every key, which is what a compaction keeps; without the deleted ones."""
    last = {(row.partition, row.key): row.value for row in await read_rows(servers, topic)}
    return {place: value for place, value in last.items() if value is not None}
