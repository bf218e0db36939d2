"""Topics for the producer's and the api's tests, what lies in them, and a Kafka that is hurt and healed."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from brokers.kafka.broker import KafkaBroker
from streamapp.domain.facts import AnyFact, Origin, TaskAccepted
from streamapp.domain.policy import Policy
from streamapp.producer.kafka import KafkaFactLog
from streamapp.wire import facts as wire
from streamapp.wire.scribe import Scribe

SCRIBE = Scribe("api", "test", lambda: "2026-01-01T00:00:00.000Z")
PARTITIONS = 4
MAX_RECORD_BYTES = 1_000_000


@dataclass(frozen=True)
class Stored:
    """One record of a topic."""

    key: bytes
    partition: int
    offset: int
    at: int
    fact: AnyFact


def fresh_namespace() -> str:
    return f"test-{uuid.uuid4().hex}"


def accepted(task_id: str, number: int = 0, size: int = 0) -> TaskAccepted:
    return SCRIBE.accepted(task_id, "T", {"n": number, "fill": "x" * size}, Policy(), Origin("http"))


async def create_topic(servers: str, topic: str, partitions: int = PARTITIONS) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        configs = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    finally:
        await admin.close()


def make_log(servers: str, topic: str, request_timeout_seconds: float = 5) -> KafkaFactLog:
    return KafkaFactLog(
        servers,
        topic,
        client_id="test",
        request_timeout_seconds=request_timeout_seconds,
        max_record_bytes=MAX_RECORD_BYTES,
    )


async def read_all(servers: str, topic: str, partitions: int = PARTITIONS) -> list[Stored]:
    """Every record of the topic, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[Stored] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [
                    Stored(each.key, each.partition, each.offset, each.timestamp, wire.decode(each.key, each.value))
                    for each in records
                ]
        return sorted(found, key=lambda stored: (stored.partition, stored.offset))
    finally:
        await consumer.stop()


async def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until the condition holds; fail at the deadline."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"did not happen within {seconds:g} s") from None


@contextmanager
def paused(kafka: KafkaBroker) -> Iterator[None]:
    """SIGSTOP, and SIGCONT afterwards whatever happens."""
    kafka.pause()
    try:
        yield
    finally:
        kafka.resume()


@asynccontextmanager
async def killed(kafka: KafkaBroker) -> AsyncIterator[None]:
    """SIGKILL, and a new start afterwards whatever happens."""
    await asyncio.to_thread(kafka.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(kafka.start)
