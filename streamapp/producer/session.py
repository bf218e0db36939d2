"""One idempotent producer, from its connection to its end.

Records go in, futures of the broker's answers come out. aiokafka tries again by itself until the broker has answered,
so an error on a future means that the producer has lost its place in the sequence: it is broken as a whole, says so
once, and somebody else replaces it. Private parts of exactly the pinned aiokafka are used to end a producer that
cannot flush: its own `stop` would wait for ever.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from streamapp.domain.errors import Refused, Unavailable
from streamapp.producer.records import Record
from streamapp.telemetry import describe

BATCH_BYTES = 262_144
"""Records of one partition that wait together go to the broker together, up to this size."""

_RETRY_BACKOFF_MS = 200
_END_SECONDS = 3.0


class Session:
    """A connected producer. `on_change` is called when a record is overdue no more, or when the producer breaks."""

    def __init__(self, producer: Any, topic: str, on_change: Callable[[], None]) -> None:
        self._producer = producer
        self._topic = topic
        self._on_change = on_change
        self._ended = False
        self.broken: BaseException | None = None
        self.outstanding: set[asyncio.Future[Any]] = set()
        self.overdue: set[asyncio.Future[Any]] = set()
        self.settled = 0

    @classmethod
    async def open(
        cls,
        servers: str,
        topic: str,
        *,
        client_id: str,
        request_timeout_seconds: float,
        max_record_bytes: int,
        on_change: Callable[[], None],
    ) -> "Session":
        """Connect, get a producer id and the topic's partitions. `topic` must exist.

        Raises:
            Unavailable: Kafka did not do all that in time.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=servers,
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=min(BATCH_BYTES, max_record_bytes),
            max_request_size=max_record_bytes,
            request_timeout_ms=round(request_timeout_seconds * 1000),
            retry_backoff_ms=_RETRY_BACKOFF_MS,
        )
        session = cls(producer, topic, on_change)
        try:
            async with asyncio.timeout(3 * request_timeout_seconds):
                await producer.start()
                await producer.partitions_for(topic)
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            await session.end()
            raise Unavailable(f"the producer could not be started: {describe(error)}") from error
        except BaseException:
            await session.end()
            raise
        return session

    async def send(self, record: Record) -> asyncio.Future[Any]:
        """Hand `record` over; the future is the broker's answer and may be abandoned, never cancelled.

        Waits while the partition's buffer is full. Cancelled meanwhile, nothing was handed over.

        Raises:
            Refused: nothing was handed over.
        """
        try:
            future: asyncio.Future[Any] = await self._producer.send(self._topic, record.value, record.key)
        except KafkaTimeoutError:
            raise Refused("the producer's buffer is full: Kafka does not keep up") from None
        except KafkaError as error:
            self._break(error)
            raise Refused(f"the producer took nothing: {describe(error)}") from error
        if self._ended:
            # `end` and a record that came late meet here: the sender is gone, so nobody will ever send it.
            raise Refused("the producer was just replaced")
        self.outstanding.add(future)
        future.add_done_callback(self._settle)
        return future

    async def retire(self, seconds: float) -> None:
        """Let what was handed over settle for at most `seconds`, then end."""
        if self.outstanding and seconds > 0:
            await asyncio.wait(set(self.outstanding), timeout=seconds)
        await self.end()

    async def end(self) -> None:
        """End at once: what is not settled is cancelled, and may have been written or not."""
        self._ended = True
        self._producer._closed = True
        sender, client = self._producer._sender, self._producer.client
        if sender.sender_task is not None:
            sender.sender_task.cancel()
        await client.close()
        await self._end_sender(sender.sender_task, client)
        await client.close()
        for future in set(self.outstanding):
            future.cancel()

    async def _end_sender(self, task: asyncio.Task[Any] | None, client: Any) -> None:
        if task is None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _END_SECONDS
        while not task.done() and loop.time() < deadline:
            # A request in flight that failed now waits for metadata, which the closed client never gets.
            if client._md_update_fut is not None and not client._md_update_fut.done():
                client._md_update_fut.set_result(False)
            await asyncio.wait({task}, timeout=0.05)
        task.cancel()
        await asyncio.wait({task}, timeout=_END_SECONDS)

    def _settle(self, future: asyncio.Future[Any]) -> None:
        self.settled += 1
        self.outstanding.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            self._break(error)
        if future in self.overdue:
            self.overdue.discard(future)
            if not self.overdue:
                self._on_change()

    def _break(self, error: BaseException) -> None:
        if self.broken is None:
            self.broken = error
            self._on_change()
