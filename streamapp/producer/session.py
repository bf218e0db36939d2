"""One idempotent producer, from its connection to its end.

Records go in, futures of the broker's answers come out. aiokafka tries again by itself until the broker has answered,
so an error on a future means that the producer has lost its place in the sequence: it is broken as a whole, says so
once, and somebody else replaces it. Private parts of exactly the pinned aiokafka are used to end a producer that
cannot flush: its own `stop` would wait for ever.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.structs import TopicPartition

from streamapp.domain.errors import OutcomeUnknown, Refused, Unavailable
from streamapp.pace import Pace, Turns
from streamapp.producer.lanes import Lane, Waiting
from streamapp.producer.records import Record
from streamapp.telemetry import describe

BATCH_BYTES = 262_144
"""Records of one partition that wait together go to the broker together, up to this size."""

TURN_SECONDS = 0.02
"""How far requests with facts are apart under load, at most: whoever has many facts to tell pays for every request."""
SHORT_TURN_SECONDS = 0.003
"""The same where somebody waits for each fact: so few at a time, that their turns would bound them."""
TURNS = partial(Turns, freely=500, fully=3_000)
"""By facts a second."""

_RETRY_BACKOFF_MS = 200
_END_SECONDS = 3.0


@lru_cache(maxsize=1024)
def _hash(key: bytes) -> int:
    """What Kafka's own clients place a key by. Facts of a task often follow one another."""
    return int(murmur2(key) & 0x7FFFFFFF)


class Session:
    """A connected producer. `on_change` is called when a record is overdue no more, or when the producer breaks."""

    def __init__(self, producer: Any, topic: str, on_change: Callable[[], None], pace: Pace) -> None:
        self._producer = producer
        self._pace = pace
        self._topic = topic
        self._on_change = on_change
        self._lanes: list[Lane] = []
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
        longest_turn_seconds: float,
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
        session = cls(producer, topic, on_change, Pace(TURNS(longest_turn_seconds)))
        try:
            async with asyncio.timeout(3 * request_timeout_seconds):
                await producer.start()
                session._open_lanes(len(await producer.partitions_for(topic)))
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            await session.end()
            raise Unavailable(f"the producer could not be started: {describe(error)}") from error
        except BaseException:
            await session.end()
            raise
        return session

    async def send(self, record: Record) -> asyncio.Future[Any]:
        """Hand `record` over; the future is the broker's answer.

        The future may be abandoned or cancelled: the record is sent all the same. It may say Refused: then nothing of
        it was written. Waits while too much waits for the partition already; cancelled meanwhile, nothing was handed
        over.

        Raises:
            Refused: nothing was handed over.
        """
        lane = self._lanes[_hash(record.key) % len(self._lanes)]
        if not lane.roomy:
            await lane.room()
        if self._ended or self.broken is not None:
            # `end` and a record that came late meet here: the sender is gone, so nobody will ever send it.
            raise Refused("the producer is being replaced")
        future = lane.add(record)
        self.outstanding.add(future)
        return future

    def _open_lanes(self, partitions: int) -> None:
        tps = [TopicPartition(self._topic, partition) for partition in range(partitions)]
        self._lanes = [Lane(self._producer, tp, self._settle, self._break, self._pace) for tp in tps]

    async def retire(self, seconds: float) -> None:
        """Let what was handed over settle for at most `seconds`, then end."""
        if self.outstanding and seconds > 0:
            await asyncio.wait(set(self.outstanding), timeout=seconds)
        await self.end()

    async def end(self) -> None:
        """End at once: of what is not settled nobody knows whether it was written.

        The futures fail; cancelled ones would cancel whoever awaits them.
        """
        self._ended = True
        self._producer._closed = True
        await asyncio.gather(*(lane.end() for lane in self._lanes))
        sender, client = self._producer._sender, self._producer.client
        if sender.sender_task is not None:
            sender.sender_task.cancel()
        await client.close()
        await self._end_sender(sender.sender_task, client)
        await client.close()
        for future in self.outstanding:
            if not future.done():
                future.set_exception(OutcomeUnknown("the producer was replaced before Kafka acknowledged it"))
                future.exception()  # whoever gave up waiting leaves nobody to look at it

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

    def _settle(self, answered: Sequence[Waiting]) -> None:
        futures = [waiting.answer for waiting in answered]
        self.settled += len(futures)
        self.outstanding.difference_update(futures)
        if self.overdue:
            self.overdue.difference_update(futures)
            if not self.overdue:
                self._on_change()

    def _break(self, error: BaseException) -> None:
        if self.broken is None:
            self.broken = error
            self._on_change()
