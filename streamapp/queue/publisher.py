"""Publishes jobs with confirms.

In: a queue name and a job. Out: nothing (the broker has it on a queue), or an error that says what is known:
Unroutable, Unavailable (nothing handed over), OutcomeUnknown (it may be on the queue or not: publish it again, the
message id makes the second one recognisable). Never consumes, never retries by itself.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from aio_pika.abc import AbstractConnection, DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq import spec
from aiormq.channel import Channel

from streamapp import failpoints
from streamapp.clock import Clock, SystemClock
from streamapp.domain.errors import OutcomeUnknown, StreamappError, Unavailable
from streamapp.failpoints import Gap
from streamapp.metrics.publishing import PublishMetrics
from streamapp.queue.link import Link
from streamapp.queue.loss import ConnectionLost, happens, loss_is_an_error
from streamapp.queue.outlet import Outlet
from streamapp.queue.topology import SETTLE_SECONDS, declare
from streamapp.telemetry import describe, get_log
from streamapp.wire import jobs
from streamapp.wire.names import Names

CONTENT_TYPE = "application/json"

DRAIN_BYTES = 16_384
"""A larger body waits until the socket has taken it, so that a broker that hangs cannot fill our memory with them."""


HANDED_OVER_SECONDS = 0.0005

REDECLARE_SECONDS = 1.0
"""A queue that was deleted is declared again only so long after it was missed."""


class Unroutable(StreamappError):
    """The broker returned the job: no queue is bound for it. Nothing of it is kept anywhere."""


class Publisher(Protocol):
    """What dispatch needs of a publisher."""

    @property
    def connected(self) -> bool:
        """Whether a publish would be handed to the broker now."""

    async def start(self) -> None:
        """Begin to connect."""

    async def close(self) -> None:
        """Close the connection."""

    async def publish_all(self, window: Sequence[tuple[str, jobs.Job]]) -> list[StreamappError | None]:
        """Hand jobs to the broker; see `JobPublisher.publish_all`."""


class JobPublisher:
    """One connection with one confirming channel, on which any number of publishes may overlap.

    Args:
        rabbitmq_url: AMQP URL; holds a password, never logged.
        queues: work queues that exist afterwards, namespace included; declared anew on every connection.
        heartbeat_seconds: AMQP heartbeat.
        publish_timeout_seconds: a publish without an answer by then is OutcomeUnknown.
        client_name: shown by RabbitMQ's own tools.
    """

    def __init__(
        self,
        rabbitmq_url: str,
        names: Names,
        queues: Sequence[str],
        *,
        heartbeat_seconds: int = 10,
        publish_timeout_seconds: float = 10.0,
        client_name: str = "streamapp-publisher",
        clock: Clock | None = None,
        metrics: PublishMetrics | None = None,
    ) -> None:
        self._names = names
        self._queues = tuple(queues)
        self._timeout_seconds = publish_timeout_seconds
        self._clock = clock or SystemClock()
        self._metrics = metrics or PublishMetrics()
        self._log = get_log(__name__)
        self._link = Link(
            rabbitmq_url,
            self._serve,
            client_name=client_name,
            heartbeat_seconds=heartbeat_seconds,
            clock=self._clock,
            log=self._log,
        )
        self._channel: Channel | None = None
        self._outlet: Outlet | None = None
        self._wake = asyncio.Event()
        self._silent = False
        self._confirmed_at = 0.0
        self._in_flight: set[str] = set()

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._link.start()

    async def wait_connected(self) -> None:
        """Wait until jobs can be published, for as long as it takes.

        Raises:
            ConfigurationError: a queue exists with other properties; only a person can help.
        """
        await self._link.wait_working()

    async def close(self) -> None:
        """Close the connection. Publishes in flight end as OutcomeUnknown."""
        await self._link.close()

    @property
    def connected(self) -> bool:
        """Whether a publish would be handed to the broker now."""
        return self._channel is not None and not self._channel.is_closed

    @property
    def blocked(self) -> bool:
        """Whether the broker has said that it takes nothing (memory or disk alarm): publishes are refused.

        It says so only after a publish has met the alarm (https://www.rabbitmq.com/docs/connection-blocked).
        """
        if self._channel is None or self._channel.is_closed:
            return False
        waiting = self._channel.connection.ready().__await__()
        try:
            next(waiting)  # ends at once exactly when the connection is not blocked
        except StopIteration:
            return False
        waiting.close()
        return True

    async def publish(self, queue: str, job: jobs.Job) -> None:
        """Hand `job` to the broker; when this returns, it is on `queue` and, on a quorum queue, on disk.

        Args:
            queue: a work queue, namespace included.
            job: what to hand out.

        Raises:
            Unroutable: there is no such queue. One of this publisher's own is declared again for the next try.
            Unavailable: not connected, or `blocked`; nothing was handed over.
            OutcomeUnknown: no answer in time, the connection lost, refused by the queue, or the same job is being
                published at this moment (the broker's return names only the message id).
        """
        (failure,) = await self.publish_all([(queue, job)])
        if failure is not None:
            raise failure

    async def publish_all(self, window: Sequence[tuple[str, jobs.Job]]) -> list[StreamappError | None]:
        """`publish` for many at once, told one by one: what `publish` would raise, or None for what is on its queue."""
        begun = self._clock.monotonic()
        answers = await self._publish(window)
        self._metrics.window([queue for queue, _ in window], answers, self._clock.monotonic() - begun)
        return answers

    async def _publish(self, window: Sequence[tuple[str, jobs.Job]]) -> list[StreamappError | None]:
        outlet, trouble = self._outlet, self._trouble()
        if outlet is None or trouble is not None:
            return [Unavailable(f"{trouble}; the job was not handed over") for _ in window]
        begun = self._clock.monotonic()
        if failpoints.armed(Gap.AFTER_PUBLISH):
            # The frames go out in the next turn of the loop, the broker's answers come later.
            asyncio.get_running_loop().call_later(HANDED_OVER_SECONDS, failpoints.reached, Gap.AFTER_PUBLISH)
        taken: set[str] = set()
        try:
            handed = [await self._hand_over(outlet, queue, job, taken) for queue, job in window]
            waiting = [answer for answer in handed if isinstance(answer, asyncio.Future)]
            if waiting:
                await asyncio.wait(waiting, timeout=self._timeout_seconds)
        finally:
            self._in_flight -= taken
        return [self._outcome(queue, answer, begun) for (queue, _), answer in zip(window, handed, strict=True)]

    def _trouble(self) -> str | None:
        if self._channel is None or self._channel.is_closed:
            return "RabbitMQ is not connected"
        return "RabbitMQ takes nothing at present (memory or disk alarm)" if self.blocked else None

    async def _hand_over(
        self, outlet: Outlet, queue: str, job: jobs.Job, taken: set[str]
    ) -> asyncio.Future[Any] | StreamappError:
        message_id = job.message_id
        if message_id in self._in_flight:
            return OutcomeUnknown("the same job is being published already")
        self._in_flight.add(message_id)
        taken.add(message_id)
        body, properties = jobs.encode(job), self._properties(job)
        try:
            if len(body) <= DRAIN_BYTES:
                return outlet.publish(queue, body, properties)
            with loss_is_an_error():
                async with asyncio.timeout(self._timeout_seconds):
                    return await outlet.publish_large(queue, body, properties)
        except Exception as error:  # aiormq rejects its futures with anything, bare Exception included
            return OutcomeUnknown(f"RabbitMQ did not take the job: {describe(error)}")

    def _outcome(self, queue: str, answer: asyncio.Future[Any] | StreamappError, begun: float) -> StreamappError | None:
        if isinstance(answer, StreamappError):
            return answer
        if not answer.done():
            answer.cancel()
            self._suspect(begun)
            return OutcomeUnknown(f"RabbitMQ did not confirm the job within {self._timeout_seconds:g} s")
        error = ConnectionLost("the connection was lost") if answer.cancelled() else answer.exception()
        if error is None or isinstance(error, PublishError | DeliveryError):
            self._confirmed_at = self._clock.monotonic()
        match error:
            case None:
                return None
            case PublishError():
                if queue in self._queues:
                    self._wake.set()
                return Unroutable(f"no queue {queue!r} takes the job; it is kept nowhere")
            case DeliveryError():
                return OutcomeUnknown("the queue refused the job")
            case _:
                return OutcomeUnknown(f"RabbitMQ did not confirm the job: {describe(error)}")

    def _properties(self, job: jobs.Job) -> spec.Basic.Properties:
        return spec.Basic.Properties(
            content_type=CONTENT_TYPE,
            headers={"traceparent": job.traceparent} if job.traceparent else {},
            delivery_mode=DeliveryMode.PERSISTENT,
            correlation_id=job.task_id,
            message_id=job.message_id,
            message_type=job.type,
            timestamp=datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC),
        )

    def _suspect(self, begun: float) -> None:
        """A channel that has answered nobody since `begun`, without an alarm, is of no use."""
        if self._confirmed_at < begun and not self.blocked:
            self._silent = True
            self._wake.set()

    async def _serve(self, connection: AbstractConnection) -> None:
        if await declare(connection, self._names, self._queues):
            # Race: a fresh node killed within SETTLE_SECONDS can forget a new queue with all its confirmed jobs.
            await self._clock.sleep(SETTLE_SECONDS)
        async with asyncio.timeout(self._timeout_seconds):
            channel = await (await connection.channel(on_return_raises=True)).get_underlay_channel()
        if not isinstance(channel, Channel):
            raise TypeError(f"aio-pika's channels are made of {type(channel).__name__}, which this code does not know")
        self._channel, self._outlet, self._silent = channel, Outlet(channel, self._names.exchange), False
        self._wake.clear()
        self._link.works()
        closing = channel.closing
        try:
            while not channel.is_closed:
                await happens(self._wake, closing)
                if self._silent:
                    raise ConnectionLost("RabbitMQ confirms nothing on this channel")
                if not channel.is_closed:
                    # Race: a quorum queue declared anew while the broker still tells the consumers of the deleted one
                    # inherits them, and hands its jobs to channels that drop them (seen with RabbitMQ 3.10).
                    await self._clock.sleep(REDECLARE_SECONDS)
                    self._wake.clear()
                    await declare(connection, self._names, self._queues)
        finally:
            self._channel = self._outlet = None
            closing.cancel()
