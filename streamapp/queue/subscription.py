"""Consuming on one channel, for as long as that channel is of use.

In: an open connection. Out: deliveries, until the broker cancels a consumer (its queue was deleted), closes the channel
(consumer_timeout), or nothing arrives although jobs wait, which the watchdog notices. A channel is never mended:
whoever runs the subscription replaces the connection. What a channel knows of a quorum queue may outlive the queue, and
then RabbitMQ 3.10 counts the jobs of its successor as sent to us while nothing comes.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.abc import AbstractChannel as Channel
from aiormq.abc import DeliveredMessage

from streamapp.queue.delivery import Delivery, Settlement
from streamapp.queue.loss import ConnectionLost, happens, loss_is_an_error
from streamapp.telemetry import describe, get_log

RPC_SECONDS = 10.0
"""One question to the broker."""

FLUSH_SECONDS = 2.0

_log = get_log(__name__)


class Subscription:
    """The consumers of one channel, one for each queue."""

    def __init__(
        self,
        channel: Channel,
        queues: Sequence[str],
        *,
        prefetch: int,
        on_delivery: Callable[[Delivery], None],
        watch_seconds: float,
    ) -> None:
        self._channel = channel
        self._queues = tuple(queues)
        self._prefetch = prefetch
        self._on_delivery = on_delivery
        self._watch_seconds = watch_seconds
        self._taking = True
        self._consumers: dict[str, str] = {}  # consumer tag → queue, as far as the broker has confirmed it
        self._queue_of_tag: dict[str, str] = {}  # the same, from before the first delivery until the channel's end
        self._held: dict[int, str] = {}  # delivery tag → queue, unsettled
        self._arrived: Counter[str] = Counter()  # deliveries since the watchdog looked, by queue
        self._idle: Counter[str] = Counter()  # looks at which jobs waited and none arrived, by queue
        self._changed = asyncio.Event()
        self._fault = ""
        self._settlement = Settlement(channel, self._settled)
        channel.on_consumer_cancel_callbacks.add(self._on_cancel)

    @classmethod
    async def on(
        cls,
        connection: AbstractConnection,
        queues: Sequence[str],
        *,
        prefetch: int,
        on_delivery: Callable[[Delivery], None],
        watch_seconds: float,
    ) -> "Subscription":
        """A subscription on a new channel of `connection`; `run` begins to consume."""
        async with asyncio.timeout(RPC_SECONDS):
            channel = await (await connection.channel(publisher_confirms=False)).get_underlay_channel()
            # Not global: the limit holds for each consumer. Quorum queues refuse a limit for the channel.
            await channel.basic_qos(prefetch_count=prefetch, global_=False)
        return cls(channel, queues, prefetch=prefetch, on_delivery=on_delivery, watch_seconds=watch_seconds)

    @property
    def open(self) -> bool:
        """Whether the channel lives."""
        return not self._channel.is_closed

    @property
    def complete(self) -> bool:
        """Whether every queue is being consumed."""
        return self.open and self._taking and set(self._consumers.values()) == set(self._queues)

    def take(self, taking: bool) -> None:
        """Consume, or stop consuming and send back what still arrives."""
        self._taking = taking
        self._changed.set()

    async def flush(self) -> None:
        """Wait, at most FLUSH_SECONDS, until the broker has read every ack that was sent.

        A channel's frames are read in order, so an answer to any later question says so. Race: closing the connection
        overtakes acks that are still being written, and their jobs would be delivered again.
        """
        try:
            with loss_is_an_error():
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._channel.basic_qos(prefetch_count=self._prefetch, global_=False)
        except Exception as error:  # aiormq rejects its futures with anything, bare Exception included
            _log.debug("the last acks may be lost", error=describe(error))

    def end(self) -> None:
        """The channel is about to be closed: hand over nothing any more."""
        self._taking = False

    async def run(self, works: Callable[[], None]) -> None:
        """Consume until the channel is of no more use; `works` is called once, when every queue is subscribed.

        Raises:
            ConnectionLost: the channel is closed, or the watchdog found that it might as well be.
        """
        await self._reconcile()
        works()
        closing = self._channel.closing
        try:
            while True:
                await happens(self._changed, closing, timeout_seconds=self._watch_seconds)
                if self._fault:
                    raise ConnectionLost(self._fault)
                if not self.open:
                    raise ConnectionLost("RabbitMQ closed the channel")
                if self._changed.is_set():
                    await self._reconcile()
                else:
                    await self._look()
        finally:
            closing.cancel()

    async def _reconcile(self) -> None:
        """Make the consumers what they should be."""
        self._changed.clear()
        if self._taking:
            for queue in self._queues:
                if queue not in self._consumers.values():
                    await self._consume(queue)
        else:
            for tag in list(self._consumers):
                await self._channel.basic_cancel(tag, timeout=RPC_SECONDS)
                self._consumers.pop(tag, None)

    async def _consume(self, queue: str) -> None:
        tag = f"streamapp-{len(self._queue_of_tag)}"
        self._queue_of_tag[tag] = queue  # before the request: the first delivery may overtake its answer
        await self._channel.basic_consume(queue, self._on_message, consumer_tag=tag, timeout=RPC_SECONDS)
        self._consumers[tag] = queue

    async def _on_message(self, message: DeliveredMessage) -> None:
        """Without an await on the way to `on_delivery`: a task that does not wait cannot be cancelled in the middle."""
        queue = self._queue_of_tag[message.consumer_tag or ""]
        tag = message.delivery_tag or 0
        if not self._taking:
            await self._settlement.reject(tag, requeue=True)
            return
        self._held[tag] = queue
        self._arrived[queue] += 1
        try:
            self._on_delivery(Delivery(message, queue, self._settlement))
        except Exception as error:
            # The job is unsettled and nobody has it: replacing the channel sends it back.
            _log.exception("a delivery could not be handed over")
            self._end(f"on_delivery raised {type(error).__name__}")

    def _on_cancel(self, frame: spec.Basic.Cancel) -> None:
        queue = self._consumers.pop(frame.consumer_tag or "", "")
        self._end(f"RabbitMQ cancelled the consumer of {queue!r}: the queue was deleted or its leader is gone")

    def _end(self, fault: str) -> None:
        self._fault = fault
        self._changed.set()

    def _settled(self, tag: int) -> None:
        self._held.pop(tag, None)

    async def _look(self) -> None:
        """The watchdog: liveness means progress. The question itself proves that the broker still has the channel."""
        if not self._taking:
            await self._channel.basic_qos(prefetch_count=self._prefetch, global_=False, timeout=RPC_SECONDS)
            return
        held = Counter(self._held.values())
        for queue in self._queues:
            answer = await self._channel.queue_declare(queue, passive=True, timeout=RPC_SECONDS)
            if not answer.consumer_count:
                raise ConnectionLost(f"RabbitMQ has no consumer of {queue!r}, though this is one")
            starved = bool(answer.message_count) and not self._arrived[queue] and held[queue] < self._prefetch
            self._idle[queue] = self._idle[queue] + 1 if starved else 0
            if self._idle[queue] > 1:
                raise ConnectionLost(f"jobs wait in {queue!r}, there is room for them, and none arrives")
        self._arrived.clear()
