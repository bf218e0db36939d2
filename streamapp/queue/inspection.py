"""How full the queues are, for `streamapp status` and `streamapp doctor`. Declares passively; changes nothing.

Right after a restart of RabbitMQ a quorum queue may read 0 (`reliability.md`, QN): nothing may be decided from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from streamapp.domain.errors import Unavailable
from streamapp.queue.link import close_connection, open_connection
from streamapp.queue.loss import loss_is_an_error
from streamapp.telemetry import describe


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Jobs that wait for a worker, and consumers that take them. `exists` is false for a queue nobody has declared."""

    messages: int
    consumers: int
    exists: bool = True


async def depth(rabbitmq_url: str, queues: Sequence[str]) -> dict[str, QueueDepth]:
    """The depth of each of `queues` (names as RabbitMQ has them; dead-letter queues too).

    Raises:
        Unavailable: RabbitMQ cannot be reached or did not answer.
    """
    try:
        connection = await open_connection(rabbitmq_url, client_name="streamapp-status")
        try:
            with loss_is_an_error():
                return {queue: await _depth(connection, queue) for queue in queues}
        finally:
            await close_connection(connection)
    except Exception as error:  # aiormq rejects its futures with anything, bare Exception included
        raise Unavailable(f"RabbitMQ did not answer: {describe(error)}") from error


async def _depth(connection: AbstractConnection, queue: str) -> QueueDepth:
    """On a channel of its own: the broker closes a channel that asks for what is not there."""
    channel = await connection.channel(publisher_confirms=False)
    try:
        declared = (await channel.declare_queue(queue, passive=True, timeout=5)).declaration_result
    except ChannelNotFoundEntity:
        return QueueDepth(0, 0, exists=False)
    return QueueDepth(declared.message_count or 0, declared.consumer_count or 0)
