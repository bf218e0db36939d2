"""The power is cut when durable brokers have just been started for the first time: they start again, and know it all.

What a broker is set up with is flushed by nobody but `brokers`; the kernel would take half a minute.
"""

import asyncio

import pytest
import redis.asyncio

from brokers.safety import make_safe
from tests.faults.power.durable import durable_brokers
from tests.faults.power.filesystem import FileSystem
from tests.support.kafka import Kafka

RECORDS = 100
FLUSHED = {"flush.messages": "1"}


def test_power_cut_leaves_what_was_made_safe(disk: FileSystem) -> None:
    folder = disk.root / "a" / "b"
    (folder / "c" / "empty").mkdir(parents=True)
    texts = {folder / "one": "1" * 10_000, folder / "c" / "two": "2" * 10_000, folder / "c" / "three": ""}
    for path, text in texts.items():
        path.write_text(text)
    make_safe(folder)
    disk.power_cut()
    disk.power_on()
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == texts
    assert (folder / "c" / "empty").is_dir()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_power_is_cut_right_after_the_first_start(disk: FileSystem) -> None:
    with durable_brokers(disk) as brokers:
        node = (brokers.stack.rabbitmq.folder / "node").read_text()
        kafka = Kafka(brokers.endpoints.kafka)
        await kafka.create("first", 1, FLUSHED)
        await kafka.start()
        await kafka.append("first", [(None, str(number).encode()) for number in range(RECORDS)])
        await kafka.stop()
        async with redis.asyncio.from_url(brokers.endpoints.redis_url) as client:
            await client.set("first", "claimed")
        await asyncio.to_thread(disk.power_cut)
        await asyncio.to_thread(disk.power_on)
        await asyncio.to_thread(brokers.stack.start)
        assert (brokers.stack.rabbitmq.folder / "node").read_text() == node
        found = await kafka.read("first")
        assert [record.value for record in found[0]] == [str(number).encode() for number in range(RECORDS)]
        async with redis.asyncio.from_url(brokers.endpoints.redis_url) as client:
            assert await client.get("first") == b"claimed"
