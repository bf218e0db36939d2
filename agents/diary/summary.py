"""A task in one line: what lists show and filter by, and nothing that grows with its payload or its history."""

from dataclasses import dataclass
from sys import intern
from typing import Any

from streamapp.clock import rfc3339
from streamapp.domain.dispatch import Limits
from streamapp.domain.expectation import NOTHING, What, expected, standing_since
from streamapp.domain.outcome import cut
from streamapp.domain.progress import State
from streamapp.domain.task import Task

MAX_MESSAGE_BYTES = 200


@dataclass(slots=True, eq=False)
class Summary:
    """One task as its last fact left it. Times are the broker's, in milliseconds.

    Attributes:
        offset: of the last fact that is in its history; `changed_at` is the time of that fact.
        since: when it entered its state.
        what, by: what is expected next, and until when.
        open: accepted and not ended.
        order: by which lists are sorted; `changed_at`, unless the broker's clock has gone back.
        gone: a newer summary of the same task has taken its place, or it had to make room.
    """

    task_id: str
    offset: int
    changed_at: int
    state: State
    type: str | None
    attempt: int
    failures: int
    accepted_at: int | None
    ended_at: int | None
    not_before: int | None
    worker: str | None
    error_type: str | None
    error_message: str | None
    anomalies: int
    since: int
    what: What
    by: int | None
    open: bool
    order: int = 0
    gone: bool = False

    def overdue(self, now_ms: int) -> bool:
        """Whether what is expected should have happened by now."""
        return self.by is not None and self.by < now_ms


def last_change(task: Task) -> int:
    """Offset of the last fact that changed a task: what only came again changes nothing."""
    return task.offset if task.dropped or not task.history else task.history[-1].offset


def summarise(task: Task, limits: Limits) -> Summary:
    """The line of a task."""
    progress, history = task.progress, task.history
    worker = error_type = error_message = None
    for entry in reversed(history):
        if worker is None and entry.worker is not None:
            worker = intern(entry.worker)
        if entry.fact == "TaskExecutionFailed":
            error_type = intern(entry.detail["errorType"])
            error_message = cut(entry.detail["message"], MAX_MESSAGE_BYTES)
            break
    state, accepted = progress.state, progress.accepted_id is not None
    ended = state is State.COMPLETED or state is State.FAILED_PERMANENTLY
    if ended and task.ended_at is not None:
        since, (what, by) = task.ended_at, NOTHING
    else:
        since = standing_since(task)
        what, by = expected(task, since, limits)
    changed_at = history[-1].at if history else 0
    if task.dropped and task.ended_at is not None:
        changed_at = max(changed_at, task.ended_at)
    return Summary(
        task.task_id,
        last_change(task),
        changed_at,
        state,
        None if task.type is None else intern(task.type),
        progress.attempt,
        progress.failures,
        task.accepted_at,
        task.ended_at,
        task.not_before,
        worker,
        error_type,
        error_message,
        len(task.anomalies),
        since,
        what,
        by,
        accepted and not ended,
    )


def summary_view(summary: Summary, now_ms: int) -> dict[str, Any]:
    """The line as JSON."""
    return {
        "taskId": summary.task_id,
        "type": summary.type,
        "state": summary.state,
        "attempt": summary.attempt,
        "failures": summary.failures,
        "acceptedAt": time_of(summary.accepted_at),
        "changedAt": time_of(summary.changed_at),
        "endedAt": time_of(summary.ended_at),
        "notBefore": time_of(summary.not_before),
        "worker": summary.worker,
        "errorType": summary.error_type,
        "errorMessage": summary.error_message,
        "anomalies": summary.anomalies,
        "expected": {"what": summary.what, "by": time_of(summary.by)},
        "overdue": summary.overdue(now_ms),
    }


def time_of(milliseconds: int | None) -> str | None:
    """A time as RFC 3339, or null."""
    return None if milliseconds is None else rfc3339(milliseconds)
