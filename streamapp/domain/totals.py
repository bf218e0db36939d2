"""Sums over the tasks of one partition, kept beside them and folded from the same facts.

One record per partition, with its own applied offset: a fact at or below it was counted before. It is stored before
the tasks of the same batch, so that after a crash no fact is counted twice and none is missed.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import NamedTuple

from streamapp.domain.facts import Recorded, TaskExecutionCompleted, TaskExecutionFailed
from streamapp.domain.outcome import cut
from streamapp.domain.progress import State
from streamapp.domain.task import Task

BUCKETS_MS: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000)
"""Upper bounds of the latency buckets; the last bucket of a histogram holds what is above them all."""


def _empty() -> list[int]:
    return [0] * (len(BUCKETS_MS) + 1)


MAX_UNREADABLE = 100
"""Unreadable records named per partition, the latest ones; all are counted."""


_OUTCOMES = (TaskExecutionCompleted, TaskExecutionFailed)


@dataclass(slots=True)
class Unreadable:
    """A record of the diary that is no fact, and why."""

    offset: int
    at: int
    reason: str


@dataclass(slots=True)
class Totals:
    """`facts` counts facts by name, `states` tasks by state; histograms count milliseconds by bucket."""

    offset: int = -1
    facts: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    anomalies: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    accepted_to_completed: list[int] = field(default_factory=_empty)
    execution: list[int] = field(default_factory=_empty)
    unreadable: int = 0
    unreadable_last: list[Unreadable] = field(default_factory=list)


MAX_ERROR_TYPES = 200
"""Error types counted apart; the rest is counted as `other`."""

MAX_ERROR_TYPE_BYTES = 200
"""Longer names are cut: streamapp's own workers write none, a stranger might."""


class Before(NamedTuple):
    """What has to be known of a task before a fact is folded in place, to count the difference."""

    state: State
    entries: int
    anomalies: int
    duplicates: int


def look(task: Task) -> Before:
    """Note what `count` will compare."""
    return Before(task.progress.state, len(task.history) + task.dropped, len(task.anomalies), task.duplicates)


def count(totals: Totals, before: Before, task: Task, recorded: Recorded) -> None:
    """Count what folding `recorded` changed from `before` to `task`. Changes `totals` in place."""
    if recorded.offset <= totals.offset:
        return
    totals.offset = recorded.offset
    totals.duplicates += task.duplicates - before.duplicates
    totals.anomalies += len(task.anomalies) - before.anomalies
    if len(task.history) + task.dropped == before.entries:
        return
    fact, state = recorded.fact, task.progress.state
    _add(totals.facts, fact.NAME, 1)
    if state is not before.state:
        if before.entries:
            _add(totals.states, before.state, -1)
        _add(totals.states, state, 1)
    elif not before.entries:
        _add(totals.states, state, 1)
    if isinstance(fact, _OUTCOMES):
        _bucket(totals.execution, fact.duration_ms)
        if isinstance(fact, TaskExecutionFailed):
            error = cut(fact.error_type, MAX_ERROR_TYPE_BYTES)
            known = error in totals.errors or len(totals.errors) < MAX_ERROR_TYPES
            _add(totals.errors, error if known else "other", 1)
    if state is State.COMPLETED and before.state is not State.COMPLETED and task.accepted_at is not None:
        _bucket(totals.accepted_to_completed, max(recorded.at - task.accepted_at, 0))


def count_unreadable(totals: Totals, offset: int, at: int, reason: str) -> None:
    """Count a record that is no fact, and keep the latest ones by name. Changes `totals` in place."""
    if offset <= totals.offset:
        return
    totals.offset = offset
    totals.unreadable += 1
    totals.unreadable_last = [*totals.unreadable_last, Unreadable(offset, at, reason)][-MAX_UNREADABLE:]


def merge(parts: list[Totals]) -> Totals:
    """The sum over partitions. Its offset means nothing and stays -1."""
    merged = Totals()
    for part in parts:
        for name in ("facts", "states", "errors"):
            for key, number in getattr(part, name).items():
                _add(getattr(merged, name), key, number)
        merged.duplicates += part.duplicates
        merged.anomalies += part.anomalies
        merged.unreadable += part.unreadable
        for name in ("accepted_to_completed", "execution"):
            pairs = zip(getattr(merged, name), getattr(part, name), strict=True)
            setattr(merged, name, [left + right for left, right in pairs])
    return merged


def quantile(histogram: list[int], fraction: float) -> int | None:
    """Upper bound in milliseconds of the bucket in which the quantile lies; None without data or above all bounds."""
    wanted = fraction * sum(histogram)
    seen = 0
    for bound, number in zip(BUCKETS_MS, histogram, strict=False):
        seen += number
        if number and seen >= wanted:
            return bound
    return None


def _bucket(histogram: list[int], value: int) -> None:
    histogram[bisect_left(BUCKETS_MS, value)] += 1


def _add(counts: dict[str, int], key: str, number: int) -> None:
    known = counts.get(key)
    if known is None:
        counts[str(key)] = number  # a state is written like any other name
    elif known + number:
        counts[key] = known + number
    else:
        del counts[key]
