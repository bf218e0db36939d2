"""The shadow queue: bound to the exchange beside the work queue, it keeps a copy of every job ever published.

Nobody consumes it while things happen, so it needs no connection that could break. It is drained at the end, and before
RabbitMQ is made to lose everything.
"""

from typing import Any

import aio_pika

from streamapp.wire import jobs
from streamapp.wire.names import Names


class Shadow:
    """The copies of what is published to the work queue `queue` of `names`."""

    def __init__(self, url: str, names: Names, queue: str = "task-execution") -> None:
        self._url = url
        self._exchange = names.exchange
        self._key = names.queue(queue)
        self._name = f"{self._key}.shadow"
        self._kept: list[dict[str, Any]] = []

    async def bind(self) -> None:
        """Begin to collect. The exchange must exist."""
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(self._name, durable=True)
            await queue.bind(self._exchange, self._key)

    async def drain(self) -> list[dict[str, Any]]:
        """Take everything out, in the order in which it was published; what was taken out earlier comes first."""
        found = self._kept
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(self._name, passive=True)
            while (message := await queue.get(fail=False)) is not None:
                job = jobs.decode(message.body)
                at = int(message.timestamp.timestamp() * 1000) if message.timestamp else 0
                found.append(
                    {
                        "at": at,
                        "message_id": message.message_id,
                        "task_id": job.task_id,
                        "attempt": job.attempt,
                        "type": job.type,
                    }
                )
                await message.ack()
        return found
