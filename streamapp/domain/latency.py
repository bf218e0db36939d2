"""How long things take: histograms of the three latencies that the facts of a task tell.

In: two moments of the broker's clock, in milliseconds. Out: counts by bucket and their sum. Latencies are floored at
zero, because publishing precedes TaskDispatched, which may therefore come after the start that it led to.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streamapp.domain.task import Task
from streamapp.domain.totals import BUCKETS_MS, quantile


def _empty() -> list[int]:
    return [0] * (len(BUCKETS_MS) + 1)


@dataclass(slots=True)
class Histogram:
    """Milliseconds by bucket of `BUCKETS_MS`; the last count is of what is above them all."""

    sum_ms: int = 0
    counts: list[int] = field(default_factory=_empty)

    def add(self, milliseconds: int) -> None:
        """Count one, floored at zero."""
        if milliseconds <= 0:
            self.counts[0] += 1
        else:
            self.sum_ms += milliseconds
            self.counts[bisect_left(BUCKETS_MS, milliseconds)] += 1

    @property
    def count(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def quantile(self, fraction: float) -> int | None:
        """Upper bound in milliseconds of the bucket in which the quantile lies; None without data or above all."""
        return quantile(self.counts, fraction)


@dataclass(slots=True)
class Latencies:
    """The three latencies of the tasks of a type.

    Attributes:
        dispatch: from when an attempt was due (accepted, or the end of its delay) to its TaskDispatched.
        execution: from TaskDispatched (or the start, if that came first) to the outcome of the attempt.
        end_to_end: from TaskAccepted to the fact that completed the task.
    """

    dispatch: Histogram = field(default_factory=Histogram)
    execution: Histogram = field(default_factory=Histogram)
    end_to_end: Histogram = field(default_factory=Histogram)


def joined(parts: Iterable[Latencies]) -> Latencies:
    """The sum of several."""
    known = list(parts)
    return Latencies(
        _sum([part.dispatch for part in known]),
        _sum([part.execution for part in known]),
        _sum([part.end_to_end for part in known]),
    )


def _sum(parts: Sequence[Histogram]) -> Histogram:
    columns = zip(_empty(), *(part.counts for part in parts), strict=True)
    return Histogram(sum(part.sum_ms for part in parts), list(map(sum, columns)))


def due_at(task: Task, attempt: int) -> int | None:
    """When an attempt was due: at its acceptance, at the end of its delay, or when it was opened anew. None: unknown.

    A first attempt may have been opened anew, too: the latest word about it counts.
    """
    for entry in reversed(task.history):
        if entry.attempt == attempt and entry.fact in ("TaskRetryScheduled", "TaskRequeued"):
            due: int = entry.detail.get("notBefore", entry.at)
            return due
    return task.accepted_at if attempt == 1 else None


def handed_out_at(task: Task, attempt: int) -> int | None:
    """When an attempt was handed out: its TaskDispatched, or its first start if that was told first. None: unknown."""
    found = None
    for entry in reversed(task.history):
        if entry.attempt == attempt:
            if entry.fact == "TaskDispatched":
                return entry.at
            if entry.fact == "TaskExecutionStarted":
                found = entry.at
    return found
