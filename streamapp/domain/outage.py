"""What became of the work of a span of time: who waited and how long, what failed, what nobody can explain.

In: the tasks that have facts in the span, as they are now. Out: sums that can be added over partitions, and a verdict
by the failure matrix (`docs/design/5-failures.md`): whatever breaks, every accepted task ends, or waits for something
that is still in time. Times are the broker's, in milliseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from streamapp.domain.dispatch import Limits
from streamapp.domain.expectation import expected, standing_since, why
from streamapp.domain.task import Entry, Task

WAITED_MS = 1_000
"""An attempt that started later than this after it was due has waited."""

MAX_LONGEST = 10
MAX_NAMED = 20
SILENCE_SECONDS = 5
"""A silence of so many seconds, while work was there, is told of."""

MAX_SILENCES = 5
Verdict: TypeAlias = Literal["as-designed", "unexplained", "incomplete"]


@dataclass(slots=True)
class Wait:
    """How long an attempt waited from when it was due to its start; `still` if it has not started."""

    ms: int
    task_id: str
    attempt: int
    still: bool


@dataclass(slots=True)
class Stage:
    """One stage of the way: the seconds of the span in which it worked, and those in which work waited for it."""

    worked: set[int] = field(default_factory=set)
    waited: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Span:
    """What the tasks of one partition, or of several, say of a span of time.

    `dispatching` is the stage from due to dispatched, `starting` the one from there to the start.
    """

    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    failed_permanently: int = 0
    duplicates: int = 0
    unreadable: int = 0
    waits: list[int] = field(default_factory=list)
    longest: list[Wait] = field(default_factory=list)
    anomalies: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    unexplained_named: list[str] = field(default_factory=list)
    dispatching: Stage = field(default_factory=Stage)
    starting: Stage = field(default_factory=Stage)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The span, the time of the question, and after which an open task is overdue."""

    first: int
    last: int
    now: int
    limits: Limits

    def within(self, at: int) -> bool:
        """Whether a moment is in the span."""
        return self.first <= at <= self.last


def tell(span: Span, task: Task, facts: int, bounds: Bounds) -> None:
    """Add a task, of which the span has `facts` facts, those that came again among them."""
    inside = [entry for entry in task.history if bounds.within(entry.at)]
    if not task.dropped:
        span.duplicates += max(facts - len(inside), 0)
    for entry in inside:
        match entry.fact:
            case "TaskRejected":
                span.rejected += 1
            case "TaskExecutionFailed":
                span.failed += 1
            case "TaskFailedPermanently":
                span.failed_permanently += 1
            case _:
                pass
    span.accepted += task.accepted_at is not None and bounds.within(task.accepted_at)
    offsets = {entry.offset for entry in inside}
    for anomaly in task.anomalies:
        if anomaly.offset in offsets:
            span.anomalies[anomaly.reason] = span.anomalies.get(anomaly.reason, 0) + 1
    _tell_waits(span, task, bounds)
    tell_if_overdue(span, task, bounds)


def tell_if_overdue(span: Span, task: Task, bounds: Bounds) -> None:
    """Add an open task to what cannot be explained, if what is expected of it should have happened by now."""
    since = standing_since(task)
    what, by = expected(task, since, bounds.limits)
    if by is None or by >= bounds.now:
        return
    span.unexplained += 1
    if len(span.unexplained_named) < MAX_NAMED:
        span.unexplained_named.append(f"{task.task_id}: {why(what, since, bounds.now)}")


def join(spans: Iterable[Span]) -> Span:
    """The sum over partitions."""
    whole = Span()
    for span in spans:
        whole.accepted += span.accepted
        whole.rejected += span.rejected
        whole.failed += span.failed
        whole.failed_permanently += span.failed_permanently
        whole.duplicates += span.duplicates
        whole.unreadable += span.unreadable
        whole.waits += span.waits
        whole.longest = _longest([*whole.longest, *span.longest])
        for reason, number in span.anomalies.items():
            whole.anomalies[reason] = whole.anomalies.get(reason, 0) + number
        whole.unexplained += span.unexplained
        whole.unexplained_named = [*whole.unexplained_named, *span.unexplained_named][:MAX_NAMED]
        for stage, other in ((whole.dispatching, span.dispatching), (whole.starting, span.starting)):
            stage.worked |= other.worked
            stage.waited = united([*stage.waited, *other.waited])
    return whole


def silences(stage: Stage) -> list[tuple[int, int]]:
    """The longest times in which work waited for a stage and it did none, as first and last second, in order."""
    found = []
    for first, last in united(stage.waited):
        begin = first
        for second in sorted(second for second in stage.worked if first <= second <= last):
            found.append((begin, second - 1))
            begin = second + 1
        found.append((begin, last))
    long = [(begin, end) for begin, end in found if end - begin + 1 >= SILENCE_SECONDS]
    return sorted(sorted(long, key=lambda gap: gap[0] - gap[1])[:MAX_SILENCES])


def verdict(span: Span, missing: bool) -> Verdict:
    """By the failure matrix: whether everything is as it must be after any failure."""
    if span.unexplained:
        return "unexplained"
    return "incomplete" if missing else "as-designed"


def united(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals of seconds without overlap, in order."""
    whole: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if whole and first <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(whole[-1][1], last))
        else:
            whole.append((first, last))
    return whole


def _tell_waits(span: Span, task: Task, bounds: Bounds) -> None:
    """Add how long each attempt waited that did so in the span."""
    for attempt, due in _due(task).items():
        dispatched = _first(task.history, "TaskDispatched", attempt)
        started = _first(task.history, "TaskExecutionStarted", attempt)
        superseded = attempt < task.progress.attempt or task.progress.terminal
        if started is None and superseded:
            continue
        until = bounds.now if started is None else started
        if until < bounds.first or due > bounds.last:
            continue
        handed_out = min(until if dispatched is None else dispatched, until)
        _note(span.dispatching, due, handed_out, dispatched, bounds)
        _note(span.starting, handed_out, until, started, bounds)
        if until - due > WAITED_MS:
            span.waits.append(until - due)
            span.longest = _longest([*span.longest, Wait(until - due, task.task_id, attempt, started is None)])


def _note(stage: Stage, begun: int, ended: int, worked: int | None, bounds: Bounds) -> None:
    if worked is not None and bounds.within(worked):
        stage.worked.add(worked // 1000)
    if ended - begun > WAITED_MS:
        first, last = max(begun, bounds.first) // 1000, min(ended, bounds.last) // 1000
        if first <= last:
            stage.waited.append((first, last))


def _due(task: Task) -> dict[int, int]:
    """Attempt → when it was due."""
    due = {} if task.accepted_at is None else {1: task.accepted_at}
    for entry in task.history:
        if entry.attempt is not None and entry.fact in ("TaskRetryScheduled", "TaskRequeued"):
            due[entry.attempt] = entry.detail.get("notBefore", entry.at)
    return due


def _first(history: list[Entry], fact: str, attempt: int) -> int | None:
    return next((entry.at for entry in history if entry.fact == fact and entry.attempt == attempt), None)


def _longest(waits: list[Wait]) -> list[Wait]:
    return sorted(waits, key=lambda wait: (-wait.ms, wait.task_id))[:MAX_LONGEST]
