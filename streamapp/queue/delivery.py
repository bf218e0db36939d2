"""A job as it came from the broker, and the one place that settles deliveries.

In: a message and the channel it came on. Out: whether the broker was told. Settling never raises: a delivery whose
channel is gone will be delivered again, and that newer delivery is the one to settle (`reliability.md`, P7).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiormq import spec
from aiormq.abc import AbstractChannel as Channel
from aiormq.abc import ChannelFrame, DeliveredMessage

from streamapp.pace import Pace, Turns
from streamapp.queue.loss import loss_is_an_error
from streamapp.telemetry import describe, get_log

SETTLE_SECONDS = 10.0
"""A channel that does not take an ack by then counts as gone; it hangs, and its heartbeat will end it."""

TURN_SECONDS = 0.005
"""Acks go out at least so far apart."""

_log = get_log(__name__)


class Settlement:
    """Tells the broker what became of the deliveries of one channel. Acks go out together, at a pace.

    Delivery tags of a channel count from 1 without a gap. Where everything up to a tag is settled, one ack says so for
    all of them (`multiple`); it always names a tag that is unsettled until then, because RabbitMQ would otherwise take
    the ack for everything and close the channel.

    Args:
        settled: called once for every delivery that has been settled, with its tag.
    """

    def __init__(self, channel: Channel, settled: Callable[[int], None]) -> None:
        self._channel = channel
        self._settled = settled
        # What every channel of the pinned aiormq writes its frames into.
        self._write_queue: asyncio.Queue[ChannelFrame] = channel.write_queue  # type: ignore[attr-defined]
        self._pace = Pace(Turns(TURN_SECONDS))
        self._floor = 0
        self._beyond: set[int] = set()
        self._acks: list[int] = []
        self._told: asyncio.Future[bool] | None = None

    async def ack(self, tag: int) -> bool:
        """The broker may forget the job."""
        if self._channel.is_closed:
            return False
        self._acks.append(tag)
        if self._told is None:
            self._told = asyncio.ensure_future(self._tell_acks())
        return await asyncio.shield(self._told)

    async def reject(self, tag: int, *, requeue: bool) -> bool:
        """Back to the queue, or to its dead-letter queue."""
        told = await self._tell(lambda: self._channel.basic_reject(tag, requeue=requeue, wait=False))
        if told:
            self._note([tag])
        return told

    async def _tell_acks(self) -> bool:
        await self._pace.turn()  # whoever acks meanwhile comes along
        acks, self._acks, self._told = sorted(self._acks), [], None
        frames = [spec.Basic.Ack(tag, multiple=multiple) for tag, multiple in self._fewest(acks)]
        frame = ChannelFrame.marshall(frames=frames, channel_number=self._channel.number)
        told = await self._tell(lambda: self._write_queue.put(frame))
        if told:
            self._note(acks)
        return told

    def _fewest(self, acks: list[int]) -> list[tuple[int, bool]]:
        """Tags to name, with whether everything before them is meant too."""
        floor, known = self._floor, self._beyond.union(acks)
        while floor + 1 in known:
            floor += 1
        below = [tag for tag in acks if tag <= floor]
        return [(tag, True) for tag in below[-1:]] + [(tag, False) for tag in acks[len(below) :]]

    def _note(self, tags: list[int]) -> None:
        self._beyond.update(tags)
        while self._floor + 1 in self._beyond:
            self._floor += 1
            self._beyond.discard(self._floor)
        for tag in tags:
            self._settled(tag)

    async def _tell(self, write: Callable[[], Awaitable[None]]) -> bool:
        if self._channel.is_closed:
            return False
        try:
            with loss_is_an_error():
                async with asyncio.timeout(SETTLE_SECONDS):
                    await write()
        except Exception as error:  # aiormq raises anything on a channel that dies, bare Exception included
            _log.debug("a delivery outlived its channel", error=describe(error))
            return False
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
