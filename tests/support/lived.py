"""An installation that has lived through something, and what can be asked of it afterwards."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from brokers import Endpoints
from streamapp.domain.dispatch import GiveUp, Limits, Publish, ScheduleRetry, decide
from streamapp.domain.facts import Recorded
from streamapp.domain.outbox import Memory, Open, remember
from tests.support.kafka import Kafka
from tests.support.reference import facts_of, fold_topic
from tests.support.rocks import DIARY, DISPATCH, differences, read_table
from tests.support.stack import PARTITIONS, Installation, RoleProcess, installation
from tests.support.tap import Tap
from tests.support.traffic import Traffic
from tests.support.waiting import until

PATIENT = Limits(86_400_000, 86_400_000)


class Lived:
    """One installation with clients that watch it from outside."""

    def __init__(self, made: Installation, kafka: Kafka, tap: Tap) -> None:
        self.made = made
        self.kafka = kafka
        self.tap = tap
        self.topic = made.names.lifecycle_topic
        self.group = made.names.app_id("all")
        self._pouring = asyncio.get_running_loop().create_future()

    async def facts(self) -> list[tuple[int, Recorded]]:
        """Every fact of the diary with its partition."""
        return facts_of(await self.kafka.read(self.topic))

    async def told(self, name: str, task_id: str, attempt: int | None = None, seconds: float = 30.0) -> Recorded:
        """Wait for a fact about a task, and see that there is only one."""

        async def found() -> list[Recorded]:
            facts = [recorded for _, recorded in await self.facts() if recorded.fact.task_id == task_id]
            named = [item for item in facts if item.fact.NAME in (name,)]
            return [item for item in named if attempt is None or getattr(item.fact, "attempt", None) == attempt]

        recorded = await until(found, seconds, f"{name} of {task_id}", every=0.2)
        assert len(recorded) == 1, recorded
        return recorded[0]

    async def due(self) -> list[str]:
        """What dispatch would still do about the diary as it is now."""
        memories: dict[str, Memory] = {}
        for _, recorded in await self.facts():
            memories[recorded.fact.task_id] = remember(memories.get(recorded.fact.task_id), recorded)
        entries = [memory for memory in memories.values() if isinstance(memory, Open)]
        decisions = [(entry.task_id, decide(entry, 0, 0, PATIENT)) for entry in entries]
        return [f"{task}: {what}" for task, what in decisions if isinstance(what, Publish | ScheduleRetry | GiveUp)]

    async def calm(self, seconds: float = 60.0) -> None:
        """Wait until nothing is due and nothing more is appended."""

        due = ["nobody has looked yet"]

        async def quiet() -> bool:
            before = await self.kafka.ends(self.topic)
            due[:] = await self.due()
            return not due and before == await self.kafka.ends(self.topic)

        try:
            await until(quiet, seconds, "nothing is due any more", every=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; still due: {due}") from None

    async def applied(self, process: RoleProcess, seconds: float = 30.0) -> None:
        """Wait until `process` has folded everything there is."""

        async def caught_up() -> bool:
            ends = await self.kafka.ends(self.topic)
            _, answer = await process.get("/v1/lag")
            return len(answer["lag"]) == PARTITIONS and not any(answer["lag"].values()) and ends == self._seen(ends)

        self._last: dict[int, int] = {}
        await until(caught_up, seconds, f"{process.name} has folded everything", every=0.6)

    def _seen(self, ends: dict[int, int]) -> dict[int, int]:
        """The ends of the last look: twice the same says that the lag in between was about all of them."""
        last, self._last = self._last, ends
        return last

    async def odd_rows(
        self,
        tables: Path,
        names: Sequence[str] = DIARY + DISPATCH,
        partitions: Collection[int] = range(PARTITIONS),
    ) -> list[str]:
        """Where the table files differ from a plain fold of the topic."""
        records = await self.kafka.read(self.topic)
        ends = {
            partition: end for partition, end in (await self.kafka.ends(self.topic)).items() if partition in partitions
        }
        return differences(tables, fold_topic(records), tuple(names), ends)

    def rows(self, table: str, name: str = "all") -> dict[tuple[int, bytes], bytes]:
        """The rows in the files of a table, by partition and key."""
        rows, _ = read_table(self.made.tables(name), table, range(PARTITIONS))
        return {(partition, key): value for partition, found in rows.items() for key, value in found.items()}

    @asynccontextmanager
    async def pouring(self, traffic: Traffic, tasks_at_once: int = 6) -> AsyncIterator[None]:
        """Facts and garbage all the time, as long as the block runs."""
        done = asyncio.Event()

        async def pour() -> None:
            while not done.is_set():
                await self.kafka.tell(self.topic, traffic.burst(tasks_at_once))
                await self.kafka.append(self.topic, [(b"garbage", b"\xff{"), (None, b"{}")])
                await asyncio.sleep(0.1)

        pouring = self._pouring = asyncio.create_task(pour())
        try:
            yield
        finally:
            done.set()
            await pouring

    async def busy(self, jobs: int = 40, seconds: float = 60.0) -> None:
        """Wait until it is in the middle of things: this many more jobs are published."""
        wanted = len(self.tap.seen) + jobs
        await until(lambda: len(self.tap.seen) > wanted or self._pouring.done(), seconds, "jobs are published")
        assert not self._pouring.done(), self._pouring.exception()

    async def canaries(self, traffic: Traffic) -> list[str]:
        """Accept new tasks until there is one in every partition; the message ids of their jobs."""
        told: list[str] = []
        partitions: set[int] = set()
        while len(partitions) < PARTITIONS:
            fact = traffic.accepted()
            (metadata,) = await self.kafka.tell(self.topic, [fact])
            partitions.add(metadata.partition)
            told.append(f"{fact.task_id}:1")
        return told


@asynccontextmanager
async def lived(endpoints: Endpoints, folder: Path, **settings: str) -> AsyncIterator[Lived]:
    """An installation with its tap open before anything is started."""
    with installation(endpoints, folder, **settings) as made:
        kafka, tap = Kafka(endpoints.kafka), Tap(endpoints.rabbitmq_url, made.names)
        await kafka.start()
        await tap.open()
        try:
            yield Lived(made, kafka, tap)
        finally:
            await tap.close()
            await kafka.stop()
