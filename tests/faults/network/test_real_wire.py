"""The wiretap on a real wire: what a real client and a real RabbitMQ say to each other, message by message."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, FieldValue
from aio_pika.exceptions import PublishError

from streamapp.audit.evidence import Wired, read_folder
from streamapp.domain.errors import Unavailable
from streamapp.queue import JobPublisher
from streamapp.wire.jobs import Job
from tests.faults.network.behind import target_of, through
from tests.faults.network.wiretap import Wiretap
from tests.support.brokers import RunningBrokers
from tests.support.proxy import Proxy
from tests.support.rabbitmq import Inbox, consuming, fresh_names, job, publishing
from tests.support.waiting import until

BIG_BYTES = 300_000
"""More than two frames of RabbitMQ's 128 KiB."""


@dataclass
class Tapped:
    """RabbitMQ behind a proxy with a wiretap."""

    proxy: Proxy
    url: str
    folder: Path

    def heard(self) -> list[Wired]:
        return list(read_folder(self.folder, []).wire or ())

    def of(self, event: str) -> list[str | None]:
        return [line.message_id for line in self.heard() if line.event == event]


@pytest.fixture
async def tapped(brokers_stack: RunningBrokers, tmp_path: Path) -> AsyncIterator[Tapped]:
    direct = brokers_stack.endpoints.rabbitmq_url
    tap = Wiretap(tmp_path / "wire.jsonl")
    proxy = Proxy(*target_of(direct), tap=tap.connected)
    await proxy.start()
    made = Tapped(proxy, through(direct, proxy.port), tmp_path)
    try:
        yield made
        assert [line for line in made.heard() if line.event == "unparsed"] == []
    finally:
        await proxy.stop()
        tap.close()


@asynccontextmanager
async def channel_with_queue(url: str, **options: bool) -> AsyncIterator[tuple[AbstractChannel, AbstractQueue]]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(**options)
        queue = await channel.declare_queue(fresh_names().queue("wire"), exclusive=True)
        yield channel, queue


def message(number: int, size: int = 10) -> aio_pika.Message:
    headers: dict[str, FieldValue] = {"traceparent": "00-1-2-01", "nested": {"a": [1, 2.5, None, True]}}
    return aio_pika.Message(b"x" * size, message_id=f"m:{number}", headers=headers, expiration=60, priority=1)


def ids(numbers: Iterator[int] | range) -> list[str]:
    return [f"m:{number}" for number in numbers]


async def hand_over(publisher: JobPublisher, queue: str, item: Job) -> None:
    """Publish until it is confirmed, as dispatch does."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await publisher.publish(queue, item)
            except Unavailable:
                await asyncio.sleep(0.05)


async def test_every_publish_and_its_answer_is_heard(tapped: Tapped) -> None:
    async with channel_with_queue(tapped.url, on_return_raises=True) as (channel, queue):
        exchange = channel.default_exchange
        # Many at once: the broker answers several of them with one ack.
        await asyncio.gather(*(exchange.publish(message(number), queue.name) for number in range(200)))
        await exchange.publish(message(200, BIG_BYTES), queue.name)
        await exchange.publish(message(201, 0), queue.name)
        with pytest.raises(PublishError):
            await exchange.publish(message(202), "nowhere")
    assert tapped.of("publish") == ids(range(203))
    assert Counter(tapped.of("confirm")) == Counter(ids(range(203)))
    assert tapped.of("return") == ids(range(202, 203))


async def test_every_delivery_and_how_it_was_settled_is_heard(tapped: Tapped) -> None:
    async with channel_with_queue(tapped.url) as (channel, queue):
        for number in range(6):
            await channel.default_exchange.publish(message(number, BIG_BYTES if number == 2 else 10), queue.name)
        arrived: list[AbstractIncomingMessage] = []
        tag = await queue.consume(arrived.append)  # type: ignore[arg-type]
        await until(lambda: len(arrived) == 6, 10, "everything arrives")
        await queue.cancel(tag)
        await arrived[1].ack()
        await arrived[3].ack(multiple=True)  # 0, 2 and 3
        await arrived[4].reject()
        await arrived[5].nack(requeue=True)
        fetched = await queue.get(timeout=10)
        assert fetched is not None
        await fetched.ack()
    deliveries = [(line.message_id, line.redelivered) for line in tapped.heard() if line.event == "deliver"]
    assert deliveries == [*((name, False) for name in ids(range(6))), ("m:5", True)]
    assert tapped.of("ack") == ["m:1", "m:0", "m:2", "m:3", "m:5"]
    assert tapped.of("reject") == ["m:4", "m:5"]


async def test_jobs_through_streamapps_own_doors_are_heard_whatever_breaks(tapped: Tapped) -> None:
    names, inbox = fresh_names(), Inbox(acking=True)
    queue = names.queue("work")
    jobs = [job(f"t{number}", size=BIG_BYTES if number % 20 == 0 else 50) for number in range(60)]
    async with (
        publishing(tapped.url, names, queue) as publisher,
        consuming(tapped.url, names, queue, on_delivery=inbox, prefetch=10),
    ):
        for number, item in enumerate(jobs):
            if number % 20 == 10:
                tapped.proxy.cut()
            await hand_over(publisher, queue, item)
        wanted = {item.message_id for item in jobs}
        await until(lambda: set(tapped.of("ack")) == wanted, 20, "every job is acked")
    assert set(tapped.of("publish")) == set(tapped.of("confirm")) == set(inbox.ids) == wanted
    assert Counter(tapped.of("deliver")) == Counter(inbox.ids)
    for line in (lines := tapped.heard()):
        if line.event == "ack":
            before = [item for item in lines[: lines.index(line)] if item.message_id == line.message_id]
            assert {"publish", "deliver"} <= {item.event for item in before}
