"""The ports of one simulated process: clock, fact log, publisher, probe. Each does to the simulated brokers what the
real door does to the real ones, with the same answers.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from streamapp.clock import BrokerClock
from streamapp.domain.errors import OutcomeUnknown, StreamappError, Unavailable
from streamapp.domain.facts import AnyFact
from streamapp.producer import Position
from streamapp.queue import Unroutable
from streamapp.wire import facts as wire
from streamapp.wire.jobs import Job
from tests.model.kafka import EPOCH_MS, LATE_SECONDS, PARTITIONS, TOPIC, Kafka
from tests.model.life import Life, outside
from tests.model.rabbit import Rabbit

if TYPE_CHECKING:
    from tests.model.oracle import Oracle

REDECLARE_SECONDS = 1.0
UNKNOWN_SECONDS = 3.0
ROUNDING_MS = 2


def partition_of(task_id: str) -> int:
    """Where the facts of a task lie."""
    return sum(task_id.encode()) % PARTITIONS


class WallClock:
    """A machine's clock, which somebody may step. `skew_ms`: by how much it is wrong."""

    def __init__(self) -> None:
        self.skew_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as this machine believes."""
        return EPOCH_MS + round(self.monotonic() * 1000) + self.skew_ms

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class HeardClock(BrokerClock):
    """The product's clock, with a memory of what it was told: how late it may have been, whatever it made of that."""

    def __init__(self, machine: WallClock) -> None:
        super().__init__(machine)
        self._machine = machine
        self._origins = [(machine.monotonic(), machine.now_ms() - machine.monotonic() * 1000)]

    def hear(self, broker_ms: int, since: float) -> int:
        """See `BrokerClock`."""
        self._origins.append((self._machine.monotonic(), broker_ms - since * 1000))
        return super().hear(broker_ms, since)

    def latest_since(self, moment: float) -> int:
        """The latest time that it could rightly show since `moment` (virtual seconds)."""
        ends = [begin for begin, _ in self._origins[1:]] + [self._machine.monotonic()]
        shown = [end * 1000 + origin for (_, origin), end in zip(self._origins, ends, strict=True) if end >= moment]
        return round(max(shown)) + ROUNDING_MS


class SimulatedFactLog:
    """`FactLog` on the simulated diary. Only what dispatch and workers use. `told` hears of each fact as it is sent."""

    def __init__(self, kafka: Kafka, life: Life, told: Callable[[Life, AnyFact], None] | None = None) -> None:
        self._kafka, self._life, self._told = kafka, life, told

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        """Append, and again, until every fact is durable."""
        return [await self._append(fact) for fact in facts]

    async def _append(self, fact: AnyFact) -> Position:
        key, value = wire.encode(fact)
        partition = partition_of(fact.task_id)
        if self._told is not None:
            self._told(self._life, fact)
        while True:
            await self._kafka.up.wait()
            await self._life.step()
            if not self._kafka.up.is_set():
                continue
            fate = self._kafka.fate()
            if fate == "late":
                outside(LATE_SECONDS, self._kafka.append, TOPIC, partition, key, value)
            elif fate != "lost":
                record = self._kafka.append(TOPIC, partition, key, value)
            await self._life.step()
            if fate == "ok":
                return Position(TOPIC, partition, record.offset, record.at)
            await asyncio.sleep(0.2)


class SimulatedPublisher:
    """`JobPublisher` on the simulated RabbitMQ."""

    def __init__(self, rabbit: Rabbit, life: Life, oracle: "Oracle") -> None:
        self._rabbit, self._life, self._oracle = rabbit, life, oracle
        self._in_flight: set[str] = set()

    async def start(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect."""

    @property
    def connected(self) -> bool:
        """Whether a publish would be handed over now."""
        return self._rabbit.up

    async def publish_all(self, window: Sequence[tuple[str, Job]]) -> list[StreamappError | None]:
        """What became of each."""
        answers = await asyncio.gather(*(self._publish(*one) for one in window), return_exceptions=True)
        for answer in answers:
            if answer is not None and not isinstance(answer, StreamappError):
                raise answer
        return answers  # type: ignore[return-value]

    async def _publish(self, queue: str, job: Job) -> None:
        if not self._rabbit.up:
            raise Unavailable("RabbitMQ is not connected")
        if job.message_id in self._in_flight:
            raise OutcomeUnknown("the same job is being published already")
        publication = self._oracle.published(self._life, queue, job)
        self._in_flight.add(job.message_id)
        try:
            await self._hand_over(queue, job)
        except Unavailable:
            publication.answer = "unknown"
            raise
        except Unroutable:
            publication.answer = "returned"
            raise
        else:
            publication.answer = "confirmed"
        finally:
            self._in_flight.discard(job.message_id)

    async def _hand_over(self, queue: str, job: Job) -> None:
        await self._life.step()
        fate = self._rabbit.fate()
        if not self._rabbit.up or fate == "lost":
            await self._never_answered()
        if fate == "late" or self._rabbit.alarmed:
            outside(LATE_SECONDS, self._rabbit.put, queue, job)
            await self._never_answered()
        if not self._rabbit.put(queue, job):
            outside(REDECLARE_SECONDS, self._rabbit.declare, queue)
            await self._life.step()
            raise Unroutable(f"no queue {queue}")
        await self._life.step()
        if fate == "unconfirmed" or not self._rabbit.up:
            await self._never_answered()

    async def _never_answered(self) -> None:
        await asyncio.sleep(UNKNOWN_SECONDS if self._rabbit.up else 0.0)
        raise OutcomeUnknown("no confirm")


class SimulatedProbe:
    """`Probe` on the simulated Kafka."""

    def __init__(self, kafka: Kafka, life: Life) -> None:
        self._kafka, self._life = kafka, life

    async def ends_patiently(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """The ends, asked for until there is an answer."""
        await self._kafka.up.wait()
        await self._life.step()
        ends = {partition: self._kafka.end(topic, partition) for partition in partitions}
        await self._life.step()
        return ends

    async def ends_beyond(self, topic: str, known: Mapping[int, int]) -> dict[int, int]:
        """The ends of what is known."""
        return await self.ends_patiently(topic, known)

    async def first_record(self, topic: str, partition: int, offset: int) -> int | None:
        """`Holes.first_record`."""
        await self._kafka.up.wait()
        await self._life.step()
        found, _ = self._kafka.read(topic, partition, offset, 1)
        return found[0].offset if found else None

    async def close(self) -> None:
        """Disconnect."""
