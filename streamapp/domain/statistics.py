"""What the facts of a partition add up to over time: by minute, worker, kind of failure and task type.

In: each fact with the task before and after it. Out: rows, kept beside the totals and folded from the same facts, so
that whoever folds the same records has the same rows. Everything is bounded: minutes by age, the rest by number.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from streamapp.domain.facts import Recorded
from streamapp.domain.failures import MAX_FAILURES, Failure, last_error
from streamapp.domain.latency import Latencies, due_at, handed_out_at
from streamapp.domain.minutes import DUPLICATES, INDEX, MAX_MINUTES, MINUTE_MS, OTHER, Minute
from streamapp.domain.outcome import cut
from streamapp.domain.progress import State
from streamapp.domain.task import Task
from streamapp.domain.totals import MAX_ERROR_TYPE_BYTES, Before, Totals
from streamapp.domain.workers import MAX_WORKERS, Worker

MAX_TYPES = 200
"""Task types whose latencies are counted apart for each partition, for ever."""


@dataclass(slots=True)
class OfType:
    """The latencies of all tasks of a type, for ever."""

    type: str
    latencies: Latencies = field(default_factory=Latencies)


Row: TypeAlias = Minute | Worker | Failure | OfType
Key: TypeAlias = tuple[type[Row], Any]
"""Kind of a row and what tells it from others of its kind: minute, worker id, (type, error type), task type."""


class Statistics:
    """The statistics of one partition with its totals, folded in place. `take_changes` tells what is to be stored."""

    def __init__(self, totals: Totals | None = None, rows: Iterable[Row] = ()) -> None:
        self.totals = Totals() if totals is None else totals
        self.minutes: dict[int, Minute] = {}
        self.workers: dict[str, Worker] = {}
        self.failures: dict[tuple[str, str], Failure] = {}
        self.types: dict[str, OfType] = {}
        kinds: dict[type[Row], dict[Any, Any]] = {
            Minute: self.minutes,
            Worker: self.workers,
            Failure: self.failures,
            OfType: self.types,
        }
        self._kinds = kinds
        self._changed: dict[type[Row], dict[Any, Row | None]] = {kind: {} for kind in kinds}
        self._changed_workers, self._changed_types = self._changed[Worker], self._changed[OfType]
        for row in rows:
            kinds[type(row)][key_of(row)] = row
        self._newest = max(self.minutes, default=0)
        self._minute = -1
        self._now = Minute(-1)

    def count(self, before: Before, task: Task, recorded: Recorded) -> None:
        """Count a fact that was folded into `task`. The caller counts none twice (`Totals.offset`)."""
        minute = recorded.at // MINUTE_MS
        now = self._now if minute == self._minute else self._turn(minute)
        if task.duplicates != before.duplicates:
            now.counts[DUPLICATES] += 1
            return
        name = recorded.fact.NAME
        now.counts[INDEX[name]] += 1
        tell = _TELL.get(name)
        if tell is not None:
            tell(self, before, task, recorded)

    def take_changes(self) -> dict[Key, Row | None]:
        """The rows that have changed since the last time, None for one that was dropped."""
        changes: dict[Key, Row | None] = {}
        for kind, changed in self._changed.items():
            changes |= {(kind, key): row for key, row in changed.items()}
            changed.clear()
        self._minute = -1
        return changes

    def rows(self) -> dict[Key, Row]:
        """Every row."""
        return {(kind, key): row for kind, known in self._kinds.items() for key, row in known.items()}

    def _turn(self, minute: int) -> Minute:
        """Go to a minute, and drop those that are too old. One that is too old itself is not kept."""
        self._minute = minute
        if minute > self._newest:
            self._drop_up_to(minute - MAX_MINUTES)
            self._newest = minute
        elif minute <= self._newest - MAX_MINUTES:
            self._now = Minute(minute)
            return self._now
        row = self.minutes.get(minute)
        if row is None:
            row = self.minutes[minute] = Minute(minute)
        self._changed[Minute][minute] = row
        self._now = row
        return row

    def _drop_up_to(self, last: int) -> None:
        """Drop the minutes up to `last`; none before the oldest one there can be is looked for."""
        oldest = self._newest - MAX_MINUTES + 1
        for minute in range(oldest, last + 1) if last < self._newest else list(self.minutes):
            if self.minutes.pop(minute, None) is not None:
                self._changed[Minute][minute] = None

    def _dispatched(self, _: Before, task: Task, recorded: Recorded) -> None:
        """Count how long the attempt had been due."""
        fact: Any = recorded.fact
        due = due_at(task, fact.attempt)
        if due is not None:
            waited = recorded.at - due
            for latencies in self._latencies(task):
                latencies.dispatch.add(waited)

    def _started(self, _: Before, __: Task, recorded: Recorded) -> None:
        """Count the start."""
        worker = self._worker(recorded)
        worker.started += 1
        worker.last_started_at = recorded.at

    def _completed(self, before: Before, task: Task, recorded: Recorded) -> None:
        """Count the success, how long it took, and how long the task has taken if it ended it."""
        worker = self._worker(recorded)
        worker.completed += 1
        worker.ended(self._minute)
        self._executed(before, task, recorded)
        if task.state is State.COMPLETED and before.state is not State.COMPLETED and task.accepted_at is not None:
            took = recorded.at - task.accepted_at
            for latencies in self._latencies(task):
                latencies.end_to_end.add(took)

    def _failed(self, before: Before, task: Task, recorded: Recorded) -> None:
        """Count the failure, by worker and by kind, and how long it took."""
        worker = self._worker(recorded)
        worker.failed += 1
        worker.ended(self._minute)
        self._executed(before, task, recorded)
        fact: Any = recorded.fact
        failure = self._failure(task, fact.error_type, recorded.at)
        failure.count += 1
        failure.happened(task.task_id, recorded.at, fact.message)

    def _given_up(self, before: Before, task: Task, recorded: Recorded) -> None:
        """Count the task that was given up, by its last failure."""
        if task.state is not State.FAILED_PERMANENTLY or before.state is State.FAILED_PERMANENTLY:
            return
        fact: Any = recorded.fact
        failure = self._failure(task, last_error(task, fact.attempt), recorded.at)
        failure.permanent += 1
        if not failure.count:
            failure.happened(task.task_id, recorded.at, fact.reason)

    def _executed(self, before: Before, task: Task, recorded: Recorded) -> None:
        """Count how long the attempt has taken, unless the outcome contradicts what was known."""
        fact: Any = recorded.fact
        if len(task.anomalies) != before.anomalies:
            return
        begun = handed_out_at(task, fact.attempt)
        if begun is not None:
            took = recorded.at - begun
            for latencies in self._latencies(task):
                latencies.execution.add(took)

    def _latencies(self, task: Task) -> tuple[Latencies, Latencies]:
        """Where the latencies of a task are counted: in the minute, and for ever."""
        name = task.type or ""
        ever = self.types.get(name)
        if ever is None:
            bounded = name if len(self.types) < MAX_TYPES else OTHER
            ever = self.types.setdefault(bounded, OfType(bounded))
        self._changed_types[ever.type] = ever
        return self._now.latencies(name), ever.latencies

    def _worker(self, recorded: Recorded) -> Worker:
        fact: Any = recorded.fact
        name: str = fact.worker
        worker = self.workers.get(name)
        if worker is None:
            if len(self.workers) >= MAX_WORKERS:
                unseen = min(self.workers.values(), key=lambda known: known.offset).worker
                del self.workers[unseen]
                self._changed_workers[unseen] = None
            worker = self.workers[name] = Worker(name, recorded.at, recorded.at, recorded.offset)
        worker.last_seen_at, worker.offset = recorded.at, recorded.offset
        self._changed_workers[name] = worker
        return worker

    def _failure(self, task: Task, error_type: str, at: int) -> Failure:
        # NUL separates the two in the key of the row.
        key = ((task.type or "").replace("\0", "\ufffd"), cut(error_type, MAX_ERROR_TYPE_BYTES).replace("\0", "\ufffd"))
        failure = self.failures.get(key)
        if failure is None:
            if len(self.failures) >= MAX_FAILURES:
                key = (OTHER, OTHER)
            failure = self.failures.setdefault(key, Failure(*key, at, at))
        self._changed[Failure][key] = failure
        return failure


def key_of(row: Row) -> Any:
    """What tells a row from others of its kind."""
    match row:
        case Minute():
            return row.minute
        case Worker():
            return row.worker
        case Failure():
            return row.type, row.error_type
        case OfType():
            return row.type


_TELL: dict[str, Callable[[Statistics, Before, Task, Recorded], None]] = {
    "TaskDispatched": Statistics._dispatched,
    "TaskExecutionStarted": Statistics._started,
    "TaskExecutionCompleted": Statistics._completed,
    "TaskExecutionFailed": Statistics._failed,
    "TaskFailedPermanently": Statistics._given_up,
}
