"""A task as it was: its kept history, folded again up to a place or a moment.

In: a task, and how far back to look. Out: the task as the same fold had left it then. The history has all that a state
needs; payload, policy and result stand in the task. What came again (duplicates) leaves no entry, so it is not counted.
"""

from collections.abc import Callable
from typing import Any

from streamapp.domain.errors import StreamappError
from streamapp.domain.facts import (
    AnyFact,
    FieldError,
    Origin,
    Recorded,
    TaskAccepted,
    TaskDispatched,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskExecutionStarted,
    TaskFailedPermanently,
    TaskRejected,
    TaskRequeued,
    TaskRetryScheduled,
    Token,
)
from streamapp.domain.policy import Policy
from streamapp.domain.task import Entry, Task, fold


class HistoryNotKept(StreamappError):
    """So many facts were told of the task that those of this time are not in its history."""


def as_of(task: Task, *, offset: int | None = None, at: int | None = None) -> Task | None:
    """The task after its facts up to an offset, or up to a time in milliseconds. None: before the first one.

    Raises:
        HistoryNotKept: facts that belong to it were counted and not kept.
    """
    if offset is not None and offset >= task.offset:
        return task
    kept = []
    for entry in task.history:
        if (offset is not None and entry.offset > offset) or (at is not None and entry.at > at):
            break
        kept.append(entry)
    if task.dropped and len(kept) == len(task.history):
        raise HistoryNotKept(f"{task.dropped} later facts of this task were counted and not kept")
    return fold(None, [Recorded(_fact(entry, task), entry.offset, entry.at) for entry in kept])


def _fact(entry: Entry, task: Task) -> AnyFact:
    """The fact of an entry, as far as the fold looks at it."""
    head = {"task_id": task.task_id, "id": entry.id, "source": entry.source, "time": ""}
    return _FACTS[entry.fact](head, entry, task)


def _accepted(head: Any, entry: Entry, task: Task) -> AnyFact:
    policy, origin = task.policy or Policy(), Origin(entry.detail["origin"])
    if entry.id == task.progress.accepted_id:
        payload, origin = task.payload, task.origin or origin
    else:
        payload = None
    return TaskAccepted(**head, type=entry.detail["type"], payload=payload, policy=policy, origin=origin)


def _rejected(head: Any, entry: Entry, _: Task) -> AnyFact:
    errors = tuple(FieldError(error["pointer"], error["message"]) for error in entry.detail["errors"])
    return TaskRejected(**head, reason=entry.detail["reason"], errors=errors, origin=Origin(entry.detail["origin"]))


def _dispatched(head: Any, entry: Entry, _: Task) -> AnyFact:
    return TaskDispatched(**head, attempt=entry.attempt or 0, queue=entry.detail["queue"])


def _started(head: Any, entry: Entry, _: Task) -> AnyFact:
    redelivered = entry.detail["redelivered"]
    return TaskExecutionStarted(**head, **_claim(entry), redelivered=redelivered)


def _completed(head: Any, entry: Entry, task: Task) -> AnyFact:
    return TaskExecutionCompleted(**head, **_claim(entry), result=task.result, duration_ms=entry.detail["durationMs"])


def _failed(head: Any, entry: Entry, _: Task) -> AnyFact:
    return TaskExecutionFailed(
        **head,
        **_claim(entry),
        error_type=entry.detail["errorType"],
        message=entry.detail["message"],
        retryable=entry.detail["retryable"],
        counted=entry.detail["counted"],
        duration_ms=entry.detail["durationMs"],
    )


def _retry_scheduled(head: Any, entry: Entry, task: Task) -> AnyFact:
    return TaskRetryScheduled(
        **head,
        attempt=entry.attempt or 0,
        not_before=entry.detail["notBefore"],
        reason=entry.detail["reason"],
        failures=entry.detail["failures"],
        policy=task.policy or Policy(),
    )


def _failed_permanently(head: Any, entry: Entry, _: Task) -> AnyFact:
    return TaskFailedPermanently(**head, attempt=entry.attempt or 0, reason=entry.detail["reason"])


def _requeued(head: Any, entry: Entry, _: Task) -> AnyFact:
    return TaskRequeued(**head, actor=entry.detail["actor"], reason=entry.detail["reason"])


def _claim(entry: Entry) -> dict[str, Any]:
    token = Token(entry.detail["epoch"], entry.detail["claim"])
    return {"attempt": entry.attempt or 0, "worker": entry.worker or "", "token": token}


_FACTS: dict[str, Callable[[Any, Entry, Task], AnyFact]] = {
    "TaskAccepted": _accepted,
    "TaskRejected": _rejected,
    "TaskDispatched": _dispatched,
    "TaskExecutionStarted": _started,
    "TaskExecutionCompleted": _completed,
    "TaskExecutionFailed": _failed,
    "TaskRetryScheduled": _retry_scheduled,
    "TaskFailedPermanently": _failed_permanently,
    "TaskRequeued": _requeued,
}
"""Name of a fact → how it is made from its entry. A new fact needs one, or the past of its tasks cannot be told."""
