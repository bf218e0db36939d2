"""What tests of the queue share: jobs, names of their own, a collecting consumer, a connection that looks beneath."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel

from streamapp.clock import Clock, SystemClock
from streamapp.queue import Delivery, JobConsumer, JobPublisher
from streamapp.wire.jobs import Job
from streamapp.wire.names import Names

_numbers = itertools.count()


def fresh_names() -> Names:
    """A namespace nobody else uses."""
    return Names(f"test-{os.getpid()}-{next(_numbers)}")


def job(task_id: str, attempt: int = 1, size: int = 10) -> Job:
    return Job(task_id, attempt, "TEST", {"text": "x" * size}, 60.0)


class ImpatientClock(SystemClock):
    """Notes how long it was asked to wait, and waits an instant."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(min(seconds, 0.05))


class Inbox:
    """Collects deliveries; with `acking`, acks each of them in a task of its own."""

    def __init__(self, *, acking: bool = False) -> None:
        self.deliveries: list[Delivery] = []
        self.acks: list[asyncio.Task[bool]] = []
        self._acking = acking

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self._acking:
            self.acks.append(asyncio.create_task(delivery.ack()))

    @property
    def ids(self) -> list[str | None]:
        return [delivery.message_id for delivery in self.deliveries]


@asynccontextmanager
async def publishing(
    url: str, names: Names, *queues: str, timeout: float = 10.0, clock: Clock | None = None
) -> AsyncIterator[JobPublisher]:
    publisher = JobPublisher(
        url, names, queues, publish_timeout_seconds=timeout, client_name="test-publisher", clock=clock
    )
    await publisher.start()
    try:
        async with asyncio.timeout(30):
            await publisher.wait_connected()
        yield publisher
    finally:
        await publisher.close()


@asynccontextmanager
async def consuming(
    url: str,
    names: Names,
    *queues: str,
    on_delivery: Callable[[Delivery], None],
    prefetch: int = 10,
    heartbeat_seconds: int = 10,
) -> AsyncIterator[JobConsumer]:
    consumer = JobConsumer(
        url, names, queues, prefetch=prefetch, heartbeat_seconds=heartbeat_seconds, on_delivery=on_delivery
    )
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            await consumer.wait_connected()
        yield consumer
    finally:
        await consumer.close()


@asynccontextmanager
async def beneath(url: str) -> AsyncIterator[AbstractChannel]:
    """A plain channel, for what the door does not offer."""
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        yield channel
