"""Builds the index of a partition from its rows, in a thread, while facts are folded into them.

In: one look at the table of tasks, and what is folded after it. Out: the index that had come of folding everything.
Rows of tasks that have ended, and are older than what there is room for, are not read beyond their heads.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec

from agents.diary.index import MAX_ANOMALIES, Odd, PartitionIndex, odd_of
from agents.diary.summary import Summary, summarise
from streamapp.domain.dispatch import Limits
from streamapp.domain.progress import TERMINAL, State
from streamapp.domain.task import Task
from streamapp.stream.digest import Look, Row
from tables.tasks import Tasks, decode

FILED_BETWEEN_YIELDS = 1_000


class _ProgressHead(msgspec.Struct, array_like=True):
    """The first fields of a `Progress`."""

    state: State
    attempt: int
    accepted_id: str | None


class _Head(msgspec.Struct):
    """What of a row tells whether the rest is needed."""

    offset: int
    progress: _ProgressHead
    anomalies: list[msgspec.Raw]

    @property
    def ended(self) -> bool:
        return self.progress.state in TERMINAL or self.progress.accepted_id is None


_head = msgspec.json.Decoder(_Head)


class Build:
    """One index under construction. Made when a partition is assigned, before anything is folded into it."""

    def __init__(self, tasks: Tasks, partition: int, limits: Limits, room: int) -> None:
        self._look = Look(tasks.table, partition)
        self._limits = limits
        self._index = PartitionIndex(partition, limits, room)
        self._applied = self._look.applied
        self._harvest = Harvest(limits, room)
        self._since: dict[str, Summary] = {}
        self._odd_since: dict[int, Odd] = {}

    def note(self, rows: Mapping[bytes, bytes], applied: int) -> None:
        """Note what was folded meanwhile."""
        self._applied = applied
        for value in rows.values():
            task = decode(value)
            self._since[task.task_id] = summarise(task, self._limits)
            self._odd_since |= {odd.anomaly.offset: odd for odd in odd_of(task)}

    async def run(self) -> PartitionIndex:
        """Read the rows and build. What is folded until this returns is in it.

        Raises:
            NotHeld: the partition was taken away.
        """
        async for rows in self._look.chunks():
            await asyncio.to_thread(self._harvest.take, rows)
        index, harvest = self._index, self._harvest
        for number, summary in enumerate(await asyncio.to_thread(harvest.sorted)):
            if number % FILED_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
            index.put(summary)
        index.left_out.update(harvest.left_out)
        index.put_anomalies(harvest.odd)
        index.anomalies_left_out |= harvest.odd_left_out
        for summary in sorted(self._since.values(), key=attrgetter("offset")):
            known = index.get(summary.task_id)
            if known is None or known.offset < summary.offset:
                index.put(summary, known)
        index.put_anomalies(self._odd_since.values())
        index.applied = self._applied
        return index


class Harvest:
    """Summaries from rows in any order: of all open tasks, and of the newest that have ended, at most `room`."""

    def __init__(self, limits: Limits, room: int) -> None:
        self.left_out: Counter[State] = Counter()
        self.odd: list[Odd] = []
        self.odd_left_out = False
        self._limits = limits
        self._room = room
        self._open: list[Summary] = []
        self._ended: list[Summary] = []
        self._floor = -1

    def take(self, rows: Sequence[Row]) -> None:
        """Take some rows."""
        for _, value in rows:
            head = _head.decode(value)
            too_old = head.ended and head.offset < self._floor
            if too_old:
                self.left_out[head.progress.state] += 1
            if not too_old or head.anomalies:
                self._take_whole(decode(value), too_old)
        if len(self._ended) > 2 * self._room:
            self._prune()
        if len(self.odd) > 2 * MAX_ANOMALIES:
            self._prune_odd()

    def sorted(self) -> list[Summary]:
        """All of them, those that changed longest ago first. Nothing is taken after this."""
        self._prune()
        self._prune_odd()
        return sorted([*self._open, *self._ended], key=attrgetter("offset"))

    def _take_whole(self, task: Task, too_old: bool) -> None:
        self.odd += odd_of(task)
        if not too_old:
            summary = summarise(task, self._limits)
            (self._open if summary.open else self._ended).append(summary)

    def _prune(self) -> None:
        if len(self._ended) <= self._room:
            return
        self._ended.sort(key=attrgetter("offset"))
        self.left_out.update(summary.state for summary in self._ended[: -self._room])
        del self._ended[: -self._room]
        self._floor = self._ended[0].offset

    def _prune_odd(self) -> None:
        if len(self.odd) > MAX_ANOMALIES:
            self.odd.sort(key=lambda odd: odd.anomaly.offset)
            del self.odd[:-MAX_ANOMALIES]
            self.odd_left_out = True
