"""A tap on RabbitMQ: a queue beside the work queue that gets a copy of every job published. Counts what was caused."""

import time
from collections import Counter
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from streamapp.wire import jobs
from streamapp.wire.jobs import Job
from streamapp.wire.names import Names
from tests.support.waiting import until


@dataclass(frozen=True)
class Tapped:
    """One job as it was published. `seen_at` is when the tap got it, in milliseconds since the epoch."""

    message_id: str
    job: Job
    seen_at: int


class Tap:
    """Every job published under `names` to the work queue `queue`, from `open` on."""

    def __init__(self, url: str, names: Names, queue: str = "task-execution") -> None:
        self._url = url
        self._names = names
        self._queue = names.queue(queue)
        self._connection: AbstractConnection | None = None
        self.seen: list[Tapped] = []

    @property
    def ids(self) -> Counter[str]:
        """Message id → how often it was published."""
        return Counter(tapped.message_id for tapped in self.seen)

    async def open(self) -> None:
        """Bind the tap and listen. Again after RabbitMQ was away."""
        self._connection = await aio_pika.connect(self._url)
        channel = await self._connection.channel()
        await channel.set_qos(500)
        exchange = await channel.declare_exchange(self._names.exchange, aio_pika.ExchangeType.DIRECT, durable=True)
        tap = await channel.declare_queue(f"{self._queue}.tap", durable=True)
        await tap.bind(exchange, self._queue)
        await tap.consume(self._take)

    async def published(self, message_id: str, seconds: float = 30.0) -> Tapped:
        """Wait for a job."""
        await until(lambda: self.ids[message_id], seconds, f"{message_id} is published")
        return next(tapped for tapped in self.seen if tapped.message_id == message_id)

    async def close(self) -> None:
        """Stop listening; the queue goes on collecting."""
        if self._connection is not None and not self._connection.is_closed:
            await self._connection.close()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self.seen.append(Tapped(message.message_id or "", jobs.decode(message.body), time.time_ns() // 1_000_000))
        await message.ack()
