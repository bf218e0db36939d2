"""Diary processes without Kafka beneath: the real fold, indexes and views over tables in memory, served over HTTP.

For what is the diary's own: which answers come of which facts. That tables are durable, and that partitions move, is
seen on real brokers (`tests/integration/test_diary.py`).
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from agents.diary import Diary, DiaryWeb
from streamapp.clock import SystemClock
from streamapp.domain.dispatch import Limits
from streamapp.domain.facts import Recorded
from streamapp.stream.batch import Record, RecordBatch
from streamapp.stream.partitions import partition_of
from streamapp.wire import facts as wire
from tables.tasks import Tasks
from tables.totals import PartitionTotals

LIMITS = Limits(stuck_margin_ms=30_000, lost_after_ms=120_000)
TOPIC = "facts"


class Rows(dict[bytes, bytes]):
    """The rows of a partition, in key order."""

    def items(self) -> Any:
        return sorted(super().items())


class MemoryTable:
    """What the diary needs of a `BatchTable`. `late`: what is put is not stored."""

    def __init__(self, name: str, partitions: int, held: Iterable[int]) -> None:
        self.name = name
        self.partitions = partitions
        self.next = dict.fromkeys(held, 0)
        self.fails: Exception | None = None
        self.late = False
        self._durable = {partition: Rows() for partition in self.next}
        self.changed: list[bytes] = []
        self._store = SimpleNamespace(_dbs={partition: Rows() for partition in self.next})

    def rows(self, partition: int) -> Rows:
        found: Rows = self._store._dbs[partition]
        return found

    def held(self) -> tuple[int, ...]:
        return tuple(sorted(self.next))

    def applied(self, partition: int) -> int | None:
        return self.next.get(partition)

    def _read_applied(self, partition: int) -> int:
        return self.next[partition]

    def get(self, partition: int, key: bytes) -> bytes | None:
        rows = self._store._dbs.get(partition)
        return None if rows is None else rows.get(key)

    def get_stored(self, partition: int, key: bytes) -> bytes | None:
        rows = self._durable.get(partition)
        return None if rows is None else rows.get(key)

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.rows(partition).items())

    def put(self, partition: int, puts: Mapping[bytes, bytes | None], applied: int) -> None:
        """Change everything or, when told to fail, nothing."""
        if self.fails is not None:
            raise self.fails
        self.changed = list(puts)
        for rows in [self.rows(partition)] + ([] if self.late else [self._durable[partition]]):
            for key, value in puts.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value
        self.next[partition] = applied

    def forget(self, partition: int) -> None:
        self.rows(partition).clear()
        self._durable[partition].clear()
        self.next[partition] = 0


class SetClock(SystemClock):
    """A clock that tells the time it is set to; durations are the machine's."""

    def __init__(self, now_ms: int) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


class Process:
    """One diary process, which holds some partitions."""

    def __init__(self, partitions: int, held: Sequence[int], clock: SetClock, indexed: int = 1_000_000) -> None:
        self.tasks = MemoryTable("tasks", partitions, held)
        self.totals = MemoryTable("totals", partitions, held)
        self.clock = clock
        self.diary = self._diary(indexed)
        self.freshness = SimpleNamespace(stale=False, as_of_ms=clock.now, lag=lambda: dict.fromkeys(held, 0))
        self.assigned: dict[str, dict[str, list[int]]] = {}
        self.url = ""
        router = SimpleNamespace(table_metadata=lambda _: self.assigned)
        self.app = SimpleNamespace(router=router, should_stop=False)
        self.web: DiaryWeb | None = None
        self._runner: web.AppRunner | None = None

    def _diary(self, indexed: int) -> Diary:
        tasks: Any = self.tasks
        totals: Any = self.totals
        return Diary(TOPIC, Tasks(tasks), PartitionTotals(totals), LIMITS, indexed=indexed, clock=self.clock)

    async def assign(self) -> None:
        """Take the partitions over, and wait for their indexes."""
        await self.diary.restored()
        await self.diary.assigned({})
        if self.diary.indexes._running is not None:
            await self.diary.indexes._running

    async def fold(self, partition: int, facts: Sequence[Recorded]) -> None:
        """Fold facts as one batch."""
        if facts:
            records = records_of(facts)
            start = self.tasks.next[partition]
            await self.diary.fold(RecordBatch(TOPIC, partition, start, facts[-1].offset + 1, records))

    async def serve(self) -> None:
        """Listen."""
        application = web.Application()
        runner = self._runner = web.AppRunner(application)
        self.web = DiaryWeb(
            self.app,
            self.diary,
            self.freshness,  # type: ignore[arg-type]
            self.clock,
            servers="127.0.0.1:1",
            own_url="http://127.0.0.1:0",
            timeout_seconds=2,
        )
        self.web.add_routes(application.router)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server: Any = site._server
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.web.owners._own = self.url

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a view."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(URL(self.url + path, encoded=True)) as response,
        ):
            return response.status, await response.json(content_type=None)

    async def stop(self) -> None:
        """End."""
        self.app.should_stop = True
        if self.web is not None:
            await self.web.owners.stop()
        if self._runner is not None:
            await self._runner.cleanup()


class Cluster:
    """Processes that share the partitions."""

    def __init__(self, processes: list[Process], partitions: int) -> None:
        self.processes = processes
        self.partitions = partitions
        self.ends = dict.fromkeys(range(partitions), 0)

    async def tell(self, facts: Iterable[Recorded]) -> None:
        """Append facts in order, each to the partition of its task, and fold them. Offsets are given here."""
        batches: dict[int, list[Recorded]] = {}
        for recorded in facts:
            partition = partition_of(recorded.fact.task_id.encode(), self.partitions)
            batches.setdefault(partition, []).append(Recorded(recorded.fact, self.ends[partition], recorded.at))
            self.ends[partition] += 1
        for partition, batch in batches.items():
            owner = next(process for process in self.processes if partition in process.tasks.next)
            await owner.fold(partition, batch)


def records_of(facts: Iterable[Recorded]) -> list[Record]:
    """Facts as the records they are."""
    found = []
    for recorded in facts:
        key, value = wire.encode(recorded.fact)
        found.append(Record(recorded.offset, key, value, recorded.at))
    return found


@asynccontextmanager
async def cluster(
    clock: SetClock, *, partitions: int = 4, processes: int = 2, indexed: int = 1_000_000
) -> AsyncIterator[Cluster]:
    """Processes that serve, each with every second (third, …) partition."""
    held = [list(range(number, partitions, processes)) for number in range(processes)]
    made = [Process(partitions, mine, clock, indexed) for mine in held]
    for process in made:
        await process.assign()
        await process.serve()
    assigned = {process.url: {"changelog": mine} for process, mine in zip(made, held, strict=True)}
    for process in made:
        process.assigned = assigned
    try:
        yield Cluster(made, partitions)
    finally:
        for process in made:
            await process.stop()
