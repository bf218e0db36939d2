"""The books: sums over the diary's tasks, and whether every accepted task is explained. Computed from facts alone."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamapp.domain.facts import (
    TaskDispatched,
    TaskExecutionStarted,
    TaskRejected,
    TaskRetryScheduled,
)
from streamapp.domain.progress import State
from streamapp.domain.task import Task


@dataclass(frozen=True, slots=True)
class Books:
    """What the diary says in sum. Times in milliseconds of the broker's clock, accepted → completed."""

    accepted: int
    rejected: int
    dispatched: int
    executed: int
    completed: int
    failed_for_good: int
    retries: int
    duplicates: int
    conflicts: int
    open: int
    unexplained: tuple[str, ...]
    p50_ms: int | None
    p99_ms: int | None

    @property
    def balance(self) -> bool:
        """Every accepted task has ended, or is in a state that says what it waits for."""
        return not self.unexplained and self.accepted == self.completed + self.failed_for_good + self.open


def books_of(tasks: Iterable[Task]) -> Books:
    """The books of these tasks."""
    known = list(tasks)
    accepted = [task for task in known if task.accepted_at is not None]
    durations = sorted(
        max((task.ended_at or 0) - (task.accepted_at or 0), 0) for task in accepted if task.state is State.COMPLETED
    )
    completed = len(durations)
    failed = sum(task.state is State.FAILED_PERMANENTLY for task in accepted)
    return Books(
        accepted=len(accepted),
        rejected=_facts(known, TaskRejected.NAME),
        dispatched=_facts(known, TaskDispatched.NAME),
        executed=_facts(known, TaskExecutionStarted.NAME),
        completed=completed,
        failed_for_good=failed,
        retries=_facts(known, TaskRetryScheduled.NAME),
        duplicates=sum(task.duplicates for task in known),
        conflicts=sum("accepted again" in anomaly.reason for task in known for anomaly in task.anomalies),
        open=len(accepted) - completed - failed,
        unexplained=tuple(task.task_id for task in known if _unexplained(task)),
        p50_ms=_quantile(durations, 0.5),
        p99_ms=_quantile(durations, 0.99),
    )


def rows(books: Books) -> list[tuple[str, str]]:
    """The books as lines of a table."""
    return [
        ("accepted", str(books.accepted)),
        ("rejected", str(books.rejected)),
        ("dispatched", str(books.dispatched)),
        ("executed (starts)", str(books.executed)),
        ("completed", str(books.completed)),
        ("failed for good", str(books.failed_for_good)),
        ("retries", str(books.retries)),
        ("duplicates suppressed", str(books.duplicates)),
        ("conflicting submissions kept", str(books.conflicts)),
        ("still open", str(books.open)),
        ("unexplained", str(len(books.unexplained))),
        ("accepted → completed, p50", _ms(books.p50_ms)),
        ("accepted → completed, p99", _ms(books.p99_ms)),
    ]


def _facts(tasks: list[Task], name: str) -> int:
    return sum(entry.fact == name for task in tasks for entry in task.history)


def _unexplained(task: Task) -> bool:
    """Facts of a task that nobody accepted, or an end without a beginning: the diary contradicts itself."""
    if task.accepted_at is None:
        return task.state not in (State.UNKNOWN, State.REJECTED)
    names = {entry.fact for entry in task.history}
    return task.state is State.COMPLETED and TaskExecutionStarted.NAME not in names


def _quantile(ordered: Sequence[int], fraction: float) -> int | None:
    """Nearest-rank quantile of sorted values."""
    return ordered[max(math.ceil(fraction * len(ordered)) - 1, 0)] if ordered else None


def _ms(value: int | None) -> str:
    return "–" if value is None else f"{value:,} ms"
