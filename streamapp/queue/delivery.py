"""A job as it came from the broker, and the one place that settles deliveries.

In: a message and the channel it came on. Out: whether the broker was told. Settling never raises: a delivery whose
channel is gone will be delivered again, and that newer delivery is the one to settle (`reliability.md`, P7).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiormq.abc import AbstractChannel as Channel
from aiormq.abc import DeliveredMessage

from streamapp.queue.loss import loss_is_an_error
from streamapp.telemetry import describe, get_log

SETTLE_SECONDS = 10.0
"""A channel that does not take an ack by then counts as gone; it hangs, and its heartbeat will end it."""

_log = get_log(__name__)


class Settlement:
    """Tells the broker what became of the deliveries of one channel. Acks could be gathered here, and only here.

    Args:
        settled: called once for every delivery that has been settled, with its tag.
    """

    def __init__(self, channel: Channel, settled: Callable[[int], None]) -> None:
        self._channel = channel
        self._settled = settled

    async def ack(self, tag: int) -> bool:
        """The broker may forget the job."""
        return await self._tell(tag, lambda: self._channel.basic_ack(tag, wait=False))

    async def reject(self, tag: int, *, requeue: bool) -> bool:
        """Back to the queue, or to its dead-letter queue."""
        return await self._tell(tag, lambda: self._channel.basic_reject(tag, requeue=requeue, wait=False))

    async def _tell(self, tag: int, frame: Callable[[], Awaitable[None]]) -> bool:
        if self._channel.is_closed:
            return False
        try:
            with loss_is_an_error():
                async with asyncio.timeout(SETTLE_SECONDS):
                    await frame()
        except Exception as error:  # aiormq raises anything on a channel that dies, bare Exception included
            _log.debug("a delivery outlived its channel", error=describe(error))
            return False
        self._settled(tag)
        return True


class Delivery:
    """One delivery of one job. Settle it once: with `ack`, `requeue` or `dead_letter`.

    Attributes:
        body: the job, encoded.
        message_id: `taskId:attempt`; None if whoever published it gave none.
        redelivered: the broker has handed this job out before.
        published_at_ms: when it was published, milliseconds since the epoch in whole seconds (AMQP has no finer
            timestamp); None if whoever published it did not say.
        queue: where it came from, namespace included.
        traceparent: W3C trace context of the publisher, if any.
    """

    __slots__ = (
        "_open",
        "_settlement",
        "_tag",
        "body",
        "message_id",
        "published_at_ms",
        "queue",
        "redelivered",
        "traceparent",
    )

    def __init__(self, message: DeliveredMessage, queue: str, settlement: Settlement) -> None:
        properties = message.header.properties
        self.body = message.body
        self.message_id: str | None = properties.message_id
        self.redelivered = bool(message.redelivered)
        self.published_at_ms = _milliseconds(properties.timestamp)
        self.queue = queue
        self.traceparent = _text((properties.headers or {}).get("traceparent"))
        self._tag = message.delivery_tag or 0
        self._settlement = settlement
        self._open = True

    async def ack(self) -> bool:
        """The job's outcome is durable: the broker may forget it.

        Returns:
            False if the channel is gone (the job will be delivered again) or the delivery was settled before.
        """
        return self._close() and await self._settlement.ack(self._tag)

    async def requeue(self) -> bool:
        """Back to the queue (its end, on a quorum queue), to be delivered again to anybody. Returns: see `ack`."""
        return self._close() and await self._settlement.reject(self._tag, requeue=True)

    async def dead_letter(self) -> bool:
        """To the dead-letter queue: nobody will run it. Returns: see `ack`."""
        return self._close() and await self._settlement.reject(self._tag, requeue=False)

    def _close(self) -> bool:
        """A second settlement of one tag would be answered by the broker with closing the channel for everybody."""
        was_open, self._open = self._open, False
        return was_open


def _milliseconds(timestamp: datetime | None) -> int | None:
    return None if timestamp is None else int(timestamp.timestamp()) * 1000


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
