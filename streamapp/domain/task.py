"""A task as the diary tells it: `evolve` folds one fact, `fold` many.

`evolve` is pure and total: any fact, in any order, once or many times, is accepted. Facts at or below the task's
offset were folded before and change nothing; a fact whose id is already in the history is the same fact, counted as a
duplicate. What is unexpected stays in the history and is named in the anomalies.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct, field

from streamapp.domain.facts import (
    AnyFact,
    Json,
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
)
from streamapp.domain.outcome import cut
from streamapp.domain.policy import Policy
from streamapp.domain.progress import TERMINAL, Progress, State, advance

MAX_HISTORY = 200
"""Facts kept per task. Far above what policies ask for; what a flood of strange facts adds is counted, not kept."""

MAX_DETAIL_BYTES = 1024
"""Texts in a history entry are cut to this; the fact in the diary has them whole."""

MAX_DETAIL_ERRORS = 5
"""Field errors shown of a rejection."""

MAX_ERROR_BYTES = 200
"""Pointer and message of a field error are cut to this: anybody may have a submission refused as often as they like."""


class Entry(Struct, gc=False, array_like=True):
    """One fact in a task's history. `at` is the broker's time in milliseconds."""

    offset: int
    at: int
    fact: str
    id: str
    source: str
    attempt: int | None = None
    worker: str | None = None
    detail: dict[str, Json] = field(default_factory=dict)


class Anomaly(Struct, gc=False, array_like=True):
    """What was odd about the fact at `offset`."""

    offset: int
    fact: str
    reason: str


class Task(Struct, gc=False):
    """State with full history. `offset` is the last fact folded; `duplicates` counts facts seen again."""

    task_id: str
    offset: int = -1
    progress: Progress = field(default_factory=Progress)
    type: str | None = None
    payload: Json = None
    policy: Policy | None = None
    origin: Origin | None = None
    accepted_at: int | None = None
    ended_at: int | None = None
    not_before: int | None = None
    result: Json = None
    history: list[Entry] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    duplicates: int = 0
    dropped: int = 0

    @property
    def state(self) -> State:
        """The derived state."""
        return self.progress.state

    @property
    def requeues(self) -> int:
        """How often it was requeued, requests without effect left out."""
        return self.progress.requeues


def evolve(task: Task | None, recorded: Recorded) -> Task:
    """The task after one more fact. The argument is left as it was."""
    folded = Task(recorded.fact.task_id) if task is None else _copy(task)
    apply(folded, recorded)
    return folded


def fold(task: Task | None, facts: Iterable[Recorded]) -> Task | None:
    """The task after all `facts`; they all belong to it. None only if there was neither a task nor a fact."""
    folded = None if task is None else _copy(task)
    for recorded in facts:
        if folded is None:
            folded = Task(recorded.fact.task_id)
        apply(folded, recorded)
    return folded


def apply(task: Task, recorded: Recorded) -> None:
    """Fold one fact into `task` in place: for callers who own the only reference to it."""
    if recorded.offset <= task.offset:
        return
    task.offset = recorded.offset
    fact, progress = recorded.fact, task.progress
    kind = type(fact)
    if _seen(task, fact):
        task.duplicates += 1
        return
    accepted = progress.accepted_id is not None
    state, attempt = progress.state, progress.attempt
    odd = advance(progress, fact)
    moved = progress.state is not state or progress.attempt != attempt
    if len(task.history) >= MAX_HISTORY:
        task.dropped += 1
    else:
        task.history.append(_entry(recorded, progress.attempt if moved else None))
        if odd is not None:
            task.anomalies.append(Anomaly(recorded.offset, fact.NAME, odd))
    if isinstance(fact, TaskAccepted) and not accepted:
        task.type, task.payload, task.policy, task.origin = fact.type, fact.payload, fact.policy, fact.origin
        task.accepted_at = recorded.at
    if progress.state in TERMINAL and state not in TERMINAL:
        task.ended_at = recorded.at
        if isinstance(fact, TaskExecutionCompleted):
            task.result = fact.result
    if kind is TaskRequeued and moved:
        task.ended_at, task.not_before = None, recorded.at
    elif isinstance(fact, TaskRetryScheduled) and moved:
        task.not_before = fact.not_before
    elif progress.state is not State.RETRY_SCHEDULED:
        task.not_before = None


def _seen(task: Task, fact: AnyFact) -> bool:
    if isinstance(fact, TaskRequeued):
        return fact.id in task.progress.requeued  # the outbox has no history: both must recognise the same requests
    return fact.id in [entry.id for entry in task.history]  # not `any`: its generator costs more than the whole look


def _entry(recorded: Recorded, opened: int | None) -> Entry:
    """`opened`: the attempt that a TaskRequeued has led to, if it had an effect; it carries none itself."""
    fact = recorded.fact
    attempt = opened if isinstance(fact, TaskRequeued) else getattr(fact, "attempt", None)
    worker = getattr(fact, "worker", None)
    return Entry(recorded.offset, recorded.at, fact.NAME, fact.id, fact.source, attempt, worker, _detail(fact))


def _detail(fact: AnyFact) -> dict[str, Json]:
    """What a reader of the history wants to know beyond attempt and worker. Payload and result stand in the task."""
    return _DETAILS[type(fact)](fact)


def _detail_of_accepted(fact: TaskAccepted) -> dict[str, Json]:
    return {"type": fact.type, "origin": fact.origin.kind}


def _detail_of_rejected(fact: TaskRejected) -> dict[str, Json]:
    errors = [
        {"pointer": cut(error.pointer, MAX_ERROR_BYTES), "message": cut(error.message, MAX_ERROR_BYTES)}
        for error in fact.errors[:MAX_DETAIL_ERRORS]
    ]
    return {"reason": cut(fact.reason, MAX_DETAIL_BYTES), "errors": errors, "origin": fact.origin.kind}


def _detail_of_failed(fact: TaskExecutionFailed) -> dict[str, Json]:
    return {
        "epoch": fact.token.epoch,
        "claim": fact.token.claim,
        "durationMs": fact.duration_ms,
        "errorType": cut(fact.error_type, MAX_DETAIL_BYTES),
        "message": cut(fact.message, MAX_DETAIL_BYTES),
        "retryable": fact.retryable,
        "counted": fact.counted,
    }


def _detail_of_retry_scheduled(fact: TaskRetryScheduled) -> dict[str, Json]:
    return {"notBefore": fact.not_before, "reason": cut(fact.reason, MAX_DETAIL_BYTES), "failures": fact.failures}


_DETAILS: dict[type[AnyFact], Callable[[Any], dict[str, Json]]] = {
    TaskAccepted: _detail_of_accepted,
    TaskRejected: _detail_of_rejected,
    TaskDispatched: lambda fact: {"queue": fact.queue},
    TaskExecutionStarted: lambda fact: {
        "epoch": fact.token.epoch,
        "claim": fact.token.claim,
        "redelivered": fact.redelivered,
    },
    TaskExecutionCompleted: lambda fact: {
        "epoch": fact.token.epoch,
        "claim": fact.token.claim,
        "durationMs": fact.duration_ms,
    },
    TaskExecutionFailed: _detail_of_failed,
    TaskRetryScheduled: _detail_of_retry_scheduled,
    TaskFailedPermanently: lambda fact: {"reason": cut(fact.reason, MAX_DETAIL_BYTES)},
    TaskRequeued: lambda fact: {
        "actor": cut(fact.actor, MAX_DETAIL_BYTES),
        "reason": cut(fact.reason, MAX_DETAIL_BYTES),
    },
}


def _copy(task: Task) -> Task:
    return Task(
        task.task_id,
        task.offset,
        task.progress.copy(),
        task.type,
        task.payload,
        task.policy,
        task.origin,
        task.accepted_at,
        task.ended_at,
        task.not_before,
        task.result,
        list(task.history),
        list(task.anomalies),
        task.duplicates,
        task.dropped,
    )
