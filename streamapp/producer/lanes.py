"""Facts on their way to one partition: what waits together goes out together, in order.

In: records. Out: a future of the broker's answer for each. While one record batch is under way the next one fills, so
that batches grow with the load; an idempotent producer has one batch of a partition under way at a time anyhow. Lanes
share a pace, so that under load their batches go in one request. Private to `session`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.structs import RecordMetadata, TopicPartition

from streamapp.domain.errors import Refused
from streamapp.pace import Pace
from streamapp.producer.records import Record
from streamapp.telemetry import describe

WAITING_BYTES = 4 * 1024 * 1024
"""So much may wait for one partition before `room` makes callers wait."""


class Waiting(NamedTuple):
    """A record and who waits for it."""

    record: Record
    answer: asyncio.Future[Any]


class Lane:
    """The records of one partition. `settle` is told of what is answered, `fail` of a producer that fails."""

    def __init__(
        self,
        producer: Any,
        tp: TopicPartition,
        settle: Callable[[Sequence[Waiting]], None],
        fail: Callable[[BaseException], None],
        pace: Pace,
    ) -> None:
        self._producer = producer
        self._tp = tp
        self._settle = settle
        self._fail = fail
        self._pace = pace
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def roomy(self) -> bool:
        """Whether there is room."""
        return self._roomy.is_set()

    async def room(self) -> None:
        """Wait while too much waits already."""
        await self._roomy.wait()

    def add(self, record: Record) -> asyncio.Future[Any]:
        """The last record of the lane from now on."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(record, answer))
        self._bytes += len(record.value)
        self._pace.came()
        if self._bytes > WAITING_BYTES:
            self._roomy.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="facts of a partition")
        return answer

    async def end(self) -> None:
        """Send nothing any more, and refuse what waits. What is under way is left to `Session.end`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._refuse("the producer was replaced before anything was handed over")

    async def _run(self) -> None:
        while self._waiting:
            await self._pace.turn()
            batch, taken = self._fill()
            try:
                sent = await self._producer.send_batch(batch, self._tp.topic, partition=self._tp.partition)
            except KafkaTimeoutError:
                _answer(taken, Refused("the producer's buffer is full: Kafka does not keep up"))
            except KafkaError as error:
                _answer(taken, Refused(f"the producer took nothing: {describe(error)}"))
                self._broken(error)
            else:
                await self._answered(taken, sent)
            self._settle(taken)

    async def _answered(self, taken: Sequence[Waiting], sent: asyncio.Future[RecordMetadata]) -> None:
        try:
            base = await sent
        except KafkaError as error:
            _answer(taken, error)
            self._broken(error)
            return
        for number, waiting in enumerate(taken):
            offset = base.offset + number if base.offset >= 0 else base.offset
            if not waiting.answer.done():
                waiting.answer.set_result(base._replace(offset=offset))

    def _broken(self, error: BaseException) -> None:
        """A producer that has lost its place takes nothing more: what waits must not overtake what has failed."""
        self._refuse("the producer has failed on an earlier record")
        self._fail(error)

    def _refuse(self, why: str) -> None:
        refused = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._roomy.set()
        _answer(refused, Refused(f"nothing was handed over: {why}"))
        self._settle(refused)

    def _fill(self) -> tuple[Any, list[Waiting]]:
        """As much of what waits as one batch takes, at least one record."""
        batch, taken = self._producer.create_batch(), []
        while self._waiting:
            record = self._waiting[0].record
            if batch.append(timestamp=None, key=record.key, value=record.value) is None:
                break
            taken.append(self._waiting.popleft())
            self._bytes -= len(record.value)
        if self._bytes <= WAITING_BYTES:
            self._roomy.set()
        batch.close()
        return batch, taken


def _answer(taken: Sequence[Waiting], error: BaseException) -> None:
    for waiting in taken:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
            waiting.answer.exception()  # whoever gave up waiting leaves nobody to look at it
