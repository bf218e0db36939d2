"""The index of one partition: what lists are answered from, so that no request reads a table.

In: the tasks that a batch has changed. Out: walks over summaries by any of their marks, the open tasks by the moment at
which something is expected, the anomalies. All open tasks are in it, and the newest of those that have ended; how many
had to make room is known, so that an answer can say where it does not reach.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal, NamedTuple, TypeAlias

from sortedcontainers import SortedList

from agents.diary.place import Place
from agents.diary.recency import Recency
from agents.diary.summary import Summary, last_change, summarise
from streamapp.domain.dispatch import Limits
from streamapp.domain.expectation import What
from streamapp.domain.progress import State
from streamapp.domain.task import Anomaly, Task
from tables.tasks import decode

MAX_ANOMALIES = 5_000
"""Anomalies listed for each partition: the newest ones."""

MAX_WAITING = 4_000
"""Rows that wait to be indexed, at most. A task that changes again meanwhile is indexed once.

They wait as bytes: objects of the fold that outlived their batch would make the garbage collector dear.
"""

LARGE_BATCH = 200
MARKS_SWEPT_FROM = 200


Mark: TypeAlias = Literal["state", "type", "worker", "error", "anomaly"]
"""What lists can be filtered by."""


class Due(NamedTuple):
    """A task in a list that is sorted by a moment."""

    at: int
    offset: int
    task_id: str


@dataclass(frozen=True, slots=True)
class Odd:
    """An anomaly as lists show it."""

    task_id: str
    type: str | None
    at: int
    anomaly: Anomaly


class PartitionIndex:
    """Summaries of one partition. `room` is how many tasks that have ended it may hold.

    `patience` is how many rows may wait while batches are small, that is while the fold keeps up: whoever asks next has
    to wait for them, those of all partitions.
    """

    def __init__(self, partition: int, limits: Limits, room: int) -> None:
        self.partition = partition
        self.room = room
        self.patience = MAX_WAITING
        self.applied = 0
        self.left_out: Counter[State] = Counter()
        self.anomalies: deque[Odd] = deque(maxlen=MAX_ANOMALIES)
        self.anomalies_left_out = False
        self.all = Recency(partition)
        self.deadlines: dict[What, SortedList[Due]] = {
            what: SortedList() for what in ("dispatch", "start", "outcome", "retry")
        }
        self.retrying: SortedList[Due] = SortedList()
        self._limits = limits
        self._by_id: dict[str, Summary] = {}
        self._marked: dict[Mark, dict[str, Recency]] = {
            "state": {},
            "type": {},
            "worker": {},
            "error": {},
            "anomaly": {},
        }
        self._marks_limit = MARKS_SWEPT_FROM
        self._ended: deque[Summary] = deque()
        self._ended_now = 0
        self._order = 0
        self._odd_up_to = -1
        self._waiting: dict[bytes, bytes] = {}

    def note(self, rows: Mapping[bytes, bytes], applied: int) -> None:
        """Note the rows that a batch up to offset `applied` has changed."""
        self.applied = applied
        self._waiting |= rows
        if len(self._waiting) > (MAX_WAITING if len(rows) > LARGE_BATCH else self.patience):
            self.settle()

    def settle(self) -> None:
        """Index what waits: whoever asks does this first."""
        if not self._waiting:
            return
        summaries, odd = [], []
        for value in self._waiting.values():
            task = decode(value)
            known = self._by_id.get(task.task_id)
            if known is None or known.offset < last_change(task):
                summaries.append(summarise(task, self._limits))
            if task.anomalies:
                odd += odd_of(task)
        self._waiting.clear()
        for summary in sorted(summaries, key=attrgetter("offset")):
            self.put(summary, self._by_id.get(summary.task_id))
        self.put_anomalies(odd)

    def put(self, summary: Summary, known: Summary | None = None) -> None:
        """Index a summary whose offset is above all others. `known`: the one whose place it takes."""
        if known is not None:
            self._take_out(known)
        self._order = summary.order = max(self._order, summary.changed_at)
        self._by_id[summary.task_id] = summary
        self.all.add(summary)
        self._mark("state", summary.state._value_, summary)
        if summary.type is not None:
            self._mark("type", summary.type, summary)
        if summary.worker is not None:
            self._mark("worker", summary.worker, summary)
        if summary.error_type is not None:
            self._mark("error", summary.error_type, summary)
        if summary.anomalies:
            self._mark("anomaly", "true", summary)
        if summary.open:
            self._file(summary)
        else:
            self._ended.append(summary)
            self._ended_now += 1
            self._make_room()

    def put_anomalies(self, found: Iterable[Odd]) -> None:
        """List those anomalies that are newer than all others."""
        for odd in sorted(found, key=lambda odd: odd.anomaly.offset):
            if odd.anomaly.offset > self._odd_up_to:
                self._odd_up_to = odd.anomaly.offset
                newest = self.anomalies[-1].at if self.anomalies else 0
                self.anomalies_left_out |= len(self.anomalies) == MAX_ANOMALIES
                self.anomalies.append(odd if odd.at >= newest else replace(odd, at=newest))

    def marked(self, mark: Mark, value: str) -> Recency:
        """The summaries with a mark: those of a state, a type, a worker, an error type, or with an anomaly ("true")."""
        return self._marked[mark].get(value) or Recency(self.partition)

    def get(self, task_id: str) -> Summary | None:
        """The summary of a task, if it is indexed."""
        return self._by_id.get(task_id)

    def overdue(self, now_ms: int) -> dict[What, int]:
        """How many open tasks are overdue, by what is expected of them."""
        return {what: dues.bisect_left((now_ms,)) for what, dues in self.deadlines.items()}

    def running(self) -> Iterator[Summary]:
        """The tasks that run now, newest first."""
        return self.marked("state", State.RUNNING).before(None)

    def place(self, summary: Summary) -> Place:
        """Where a summary stands among those of all partitions."""
        return self.all.place(summary)

    def _file(self, summary: Summary) -> None:
        """Sort an open task by the moments that matter."""
        if summary.by is not None:
            self.deadlines[summary.what].add(Due(summary.by, summary.offset, summary.task_id))
        if (due := _retried_at(summary)) is not None:
            self.retrying.add(Due(due, summary.offset, summary.task_id))

    def _take_out(self, summary: Summary) -> None:
        summary.gone = True
        if not summary.open:
            self._ended_now -= 1
            return
        if summary.by is not None:
            self.deadlines[summary.what].remove(Due(summary.by, summary.offset, summary.task_id))
        if (due := _retried_at(summary)) is not None:
            self.retrying.remove(Due(due, summary.offset, summary.task_id))

    def _make_room(self) -> None:
        """Let the task that ended longest ago go, and forget those that were opened anew."""
        while self._ended_now > self.room:
            oldest = self._ended.popleft()
            if not oldest.gone:
                oldest.gone = True
                self._ended_now -= 1
                self.left_out[oldest.state] += 1
                del self._by_id[oldest.task_id]
        if len(self._ended) > 2 * self._ended_now + MARKS_SWEPT_FROM:
            self._ended = deque(summary for summary in self._ended if not summary.gone)

    def _mark(self, mark: Mark, value: str, summary: Summary) -> None:
        """Add a summary to the list of a mark. Workers come and go: lists with nobody in them are given up."""
        marked = self._marked[mark]
        found = marked.get(value)
        if found is None:
            if len(marked) >= self._marks_limit:
                marked = self._marked[mark] = {known: found for known, found in marked.items() if found.sweep()}
                self._marks_limit = max(MARKS_SWEPT_FROM, 2 * len(marked))
            found = marked[value] = Recency(self.partition)
        found.add(summary)


def odd_of(task: Task) -> list[Odd]:
    """The anomalies of a task, each with the time of its fact."""
    times = {entry.offset: entry.at for entry in task.history}
    return [Odd(task.task_id, task.type, times.get(anomaly.offset, 0), anomaly) for anomaly in task.anomalies]


def _retried_at(summary: Summary) -> int | None:
    """When the next attempt of a task is due that waits for one; None for one that does not."""
    if summary.state is State.RETRY_SCHEDULED:
        return summary.not_before if summary.not_before is not None else summary.since
    return summary.since if summary.state is State.FAILED else None
