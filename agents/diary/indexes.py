"""The indexes of the partitions held here: built from the table when a partition comes, kept up to date by the fold.

In: assignments, and what each batch has changed. Out: the index of each partition that is ready. A partition that is
being built is held and not ready: whoever lists tasks names it as missing.
"""

import asyncio
from collections.abc import Iterable, Mapping

from agents.diary.building import Build
from agents.diary.index import MAX_WAITING, PartitionIndex
from streamapp.domain.dispatch import Limits
from streamapp.domain.expectation import What
from streamapp.stream.table import NotHeld
from streamapp.telemetry import get_log
from tables.tasks import Tasks

MIN_ROOM = 1_000

log = get_log(__name__)


class Indexes:
    """An index for each partition of `tasks` held here. `ended` is how many ended tasks all of them may hold."""

    def __init__(self, tasks: Tasks, limits: Limits, ended: int) -> None:
        self.limits = limits
        self._tasks = tasks
        self._ended = ended
        self._ready: dict[int, PartitionIndex] = {}
        self._builds: dict[int, Build] = {}
        self._running: asyncio.Task[None] | None = None

    def ready(self) -> dict[int, PartitionIndex]:
        """The indexes that are ready, by partition, with everything in them that is folded."""
        held = set(self._tasks.table.held())
        found = {partition: index for partition, index in sorted(self._ready.items()) if partition in held}
        for index in found.values():
            index.patience = MAX_WAITING // len(found)
            index.settle()
        return found

    def overdue(self, partition: int, now_ms: int) -> dict[What, int] | None:
        """How many open tasks of a partition are overdue, by what is expected of them; None if that is not known."""
        index = self.ready().get(partition)
        return None if index is None else index.overdue(now_ms)

    def building(self) -> tuple[int, ...]:
        """The partitions held here whose index is not ready."""
        return tuple(partition for partition in self._tasks.table.held() if partition not in self._ready)

    def note(self, partition: int, rows: Mapping[bytes, bytes], applied: int) -> None:
        """Note the rows that a batch has changed."""
        if (index := self._ready.get(partition)) is not None:
            index.note(rows, applied)
        elif (build := self._builds.get(partition)) is not None:
            build.note(rows, applied)

    def assigned(self) -> None:
        """Partitions are held, nothing is folded yet: keep the indexes that are still right, and build the others."""
        held = self._tasks.table.held()
        room = max(self._ended // max(len(held), 1), MIN_ROOM)
        applied = {partition: self._tasks.table.applied(partition) for partition in held}
        self._ready = {
            partition: index for partition, index in self._ready.items() if applied.get(partition) == index.applied
        }
        for index in self._ready.values():
            index.room = room
        self._builds = {
            partition: Build(self._tasks, partition, self.limits, room)
            for partition in held
            if partition not in self._ready
        }
        if self._builds:
            self._running = asyncio.create_task(self._build_all(list(self._builds)))

    async def revoked(self) -> None:
        """Stop building."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._running, self._builds = None, {}

    async def _build_all(self, partitions: Iterable[int]) -> None:
        """One after the other, so that the fold gets its share of the processor."""
        for partition in partitions:
            build = self._builds[partition]
            try:
                index = await build.run()
            except NotHeld:
                return
            except Exception:
                log.exception("an index could not be built: this partition is missing in lists", partition=partition)
                continue
            self._ready[partition] = index
            del self._builds[partition]
