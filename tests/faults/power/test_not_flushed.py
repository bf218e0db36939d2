"""The control of the power cuts: the same cut takes acknowledged records that nobody has flushed, and no others.

Without it a green power cut would prove nothing: the disk might have kept everything by itself. Plain clients write
until the power goes and remember what was acknowledged; what is missing afterwards is lost. Each setting is a row of
the report, and of the table in `docs/guarantees.md`.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio
from aiokafka import AIOKafkaProducer
from redis.exceptions import RedisError

from brokers import Service
from tests.faults import report
from tests.faults.power.durable import durable_brokers
from tests.faults.power.filesystem import FileSystem
from tests.support.brokers import RunningBrokers
from tests.support.kafka import Kafka
from tests.support.waiting import until

ACKNOWLEDGED = 1_000
"""At least so many before the power is cut; writing goes on until it is."""
AT_ONCE = 20
TOPICS = {"flushed-always": {"flush.messages": "1"}, "flushed-by-nobody": {}}

Write = Callable[[set[str]], Awaitable[None]]
"""Adds what was acknowledged, until it cannot write any more."""


async def power_cut_under(disk: FileSystem, brokers: RunningBrokers, *writers: Write) -> tuple[list[set[str]], float]:
    """What each of the writers was told is written, and the seconds until the brokers are back."""
    acknowledged: list[set[str]] = [set() for _ in writers]
    await asyncio.to_thread(disk.sync)
    writing = [asyncio.ensure_future(write(into)) for write, into in zip(writers, acknowledged, strict=True)]
    await until(lambda: all(len(into) >= ACKNOWLEDGED for into in acknowledged), 60, "enough is acknowledged")
    await asyncio.to_thread(disk.power_cut)
    for write in writing:
        write.cancel()
    await asyncio.gather(*writing, return_exceptions=True)
    begun = time.monotonic()
    await asyncio.to_thread(disk.power_on)
    await asyncio.to_thread(brokers.stack.start)
    return acknowledged, time.monotonic() - begun


def lost(what: str, acknowledged: set[str], left: set[str], seconds: float) -> int:
    """How much is lost; adds a row to the report."""
    missing = len(acknowledged - left)
    report.add(report.Row(what, 1, 0, len(acknowledged), missing, 0, 0, seconds))
    return missing


@pytest.mark.long
@pytest.mark.timeout(200)
async def test_power_cut_takes_what_kafka_has_not_flushed(disk: FileSystem) -> None:
    with durable_brokers(disk, only("kafka")) as brokers:
        kafka = Kafka(brokers.endpoints.kafka)
        for topic, settings in TOPICS.items():
            await kafka.create(topic, 1, settings)
        writers = [producing(brokers.endpoints.kafka, topic) for topic in TOPICS]
        acknowledged, seconds = await power_cut_under(disk, brokers, *writers)
        left = [await values(kafka, topic) for topic in TOPICS]
    flushed, unflushed = (
        lost(f"control: power cut of kafka, {topic}", told, found, seconds)
        for topic, told, found in zip(TOPICS, acknowledged, left, strict=True)
    )
    assert flushed == 0
    assert unflushed > 0


@pytest.mark.long
@pytest.mark.timeout(200)
async def test_power_cut_takes_what_redis_has_not_flushed(disk: FileSystem) -> None:
    missing = {}
    with durable_brokers(disk, only("redis")) as brokers:
        for appendfsync in ("no", "everysec", "always"):
            async with redis.asyncio.from_url(brokers.endpoints.redis_url) as client:
                await client.config_set("appendfsync", appendfsync)
            writer = setting(brokers.endpoints.redis_url, appendfsync)
            (acknowledged,), seconds = await power_cut_under(disk, brokers, writer)
            async with redis.asyncio.from_url(brokers.endpoints.redis_url, decode_responses=True) as client:
                left = {str(key) for key in await client.keys()}
            missing[appendfsync] = lost(f"control: power cut of redis, {appendfsync}", acknowledged, left, seconds)
    assert missing.pop("always") == 0
    assert all(missing.values()), missing


def only(service: Service) -> frozenset[Service]:
    return frozenset({service})


def producing(servers: str, topic: str) -> Write:
    async def write(acknowledged: set[str]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
        await producer.start()
        try:
            for first in range(0, 1_000_000, AT_ONCE):
                numbers = [str(number) for number in range(first, first + AT_ONCE)]
                for sent, number in [(await producer.send(topic, number.encode()), number) for number in numbers]:
                    await sent
                    acknowledged.add(number)
        finally:
            producer._closed = True  # its own stop would wait until the rest is sent: for ever
            producer._sender.sender_task.cancel()
            await producer.client.close()

    return write


def setting(url: str, prefix: str) -> Write:
    async def write(acknowledged: set[str]) -> None:
        async with redis.asyncio.from_url(url) as client:
            with contextlib.suppress(RedisError, OSError):
                for number in range(1_000_000):
                    assert await client.set(f"{prefix}-{number}", "claimed", nx=True)
                    acknowledged.add(f"{prefix}-{number}")

    return write


async def values(kafka: Kafka, topic: str) -> set[str]:
    found = await kafka.read(topic)
    return {record.value.decode() for record in found[0] if record.value}
