"""A watch on what is published: a queue of its own beside the work queues, for as long as somebody looks.

In: the exchange that jobs are published to. Out: the message id of every job published meanwhile. Takes nothing from
anybody: the queue is bound to the same routing keys, belongs to this connection and goes with it.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from streamapp.domain.errors import Unavailable
from streamapp.queue.link import close_connection, open_connection
from streamapp.telemetry import describe
from streamapp.wire.names import Names

SETTLE_SECONDS = 5.0
PAUSE_SECONDS = 0.05


class PublishWatch:
    """Enter it with `async with` before what is to be watched begins. `message_ids` grows."""

    def __init__(self, rabbitmq_url: str, names: Names, queues: Sequence[str]) -> None:
        self._url = rabbitmq_url
        self._names = names
        self._queues = queues
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._queue: AbstractQueue | None = None
        self.message_ids: list[str] = []

    async def __aenter__(self) -> Self:
        """Begin to watch.

        Raises:
            Unavailable: RabbitMQ cannot be reached, or has no such exchange.
        """
        try:
            self._connection = await open_connection(self._url, client_name="streamapp-watch")
            channel = self._channel = await self._connection.channel(publisher_confirms=False)
            exchange = await channel.get_exchange(self._names.exchange, ensure=True)
            self._queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            for queue in self._queues:
                await self._queue.bind(exchange, queue)
            await self._queue.consume(self._take, no_ack=True)
        except Exception as error:  # aiormq rejects its futures with anything, bare Exception included
            await self._close()
            raise Unavailable(f"RabbitMQ cannot be watched: {describe(error)}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def settle(self) -> None:
        """Wait until everything published so far has arrived.

        Raises:
            Unavailable: RabbitMQ does not answer: what was seen may not be all.
        """
        if self._channel is None or self._queue is None:
            raise RuntimeError("enter it with `async with` first")
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while await self._waiting(self._channel, self._queue.name):
                    await asyncio.sleep(PAUSE_SECONDS)
        except Exception as error:
            raise Unavailable(f"RabbitMQ did not answer: {describe(error)}") from error

    async def _waiting(self, channel: AbstractChannel, queue: str) -> int:
        """Jobs that have not been sent to us. Passively: a name that RabbitMQ made up cannot be declared again."""
        return (await channel.declare_queue(queue, passive=True)).declaration_result.message_count or 0

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self.message_ids.append(message.message_id or "")

    async def _close(self) -> None:
        if self._connection is not None:
            await close_connection(self._connection)
