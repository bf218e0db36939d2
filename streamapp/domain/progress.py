"""How far a task has come: the one state machine behind the diary's view and dispatch's outbox.

`advance` takes any fact in any order and says what was odd about it; it never raises and never moves back. Offsets,
duplicates and history are its callers' business (`task`, `outbox`).
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from streamapp.domain.facts import (
    AnyFact,
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
from streamapp.domain.policy import LAST_ATTEMPT


class State(StrEnum):
    """States of a task. REJECTED belongs to a submission: a later valid one under the same id is accepted."""

    UNKNOWN = "UNKNOWN"
    REJECTED = "REJECTED"
    ACCEPTED = "ACCEPTED"
    DISPATCHED = "DISPATCHED"
    RUNNING = "RUNNING"
    FAILED = "FAILED"
    RETRY_SCHEDULED = "RETRY_SCHEDULED"
    COMPLETED = "COMPLETED"
    FAILED_PERMANENTLY = "FAILED_PERMANENTLY"


TERMINAL = frozenset({State.COMPLETED, State.FAILED_PERMANENTLY})
WAITING = frozenset({State.UNKNOWN, State.REJECTED, State.ACCEPTED, State.RETRY_SCHEDULED})
"""States in which the current attempt has not been handed out yet."""

MAX_REQUEUES_REMEMBERED = 100
"""Requests to requeue whose ids are kept, the latest ones: a request that comes again is recognised among so many."""

MAX_ATTEMPTS_REMEMBERED = 100
"""Attempts whose tokens are kept. What is told of one further back than that is an anomaly and counts no more."""


class Progress(Struct, gc=False, array_like=True):
    """State and what guards it.

    `tokens` is the highest token folded per attempt, `failures` what counted since the task was accepted or requeued.
    `first_attempt` is the one that was opened then: earlier ones are over for good. `told_after_end` is the highest
    attempt above the last one that anybody has told of since the task ended. `requeues` counts those with an effect,
    `requeued` has the ids of all.
    """

    state: State = State.UNKNOWN
    attempt: int = 0
    accepted_id: str | None = None
    failures: int = 0
    tokens: dict[int, Token] = field(default_factory=dict)
    first_attempt: int = 1
    told_after_end: int = 0
    requeues: int = 0
    requeued: tuple[str, ...] = ()

    @property
    def terminal(self) -> bool:
        """Whether the task has ended for good."""
        return self.state in TERMINAL

    def copy(self) -> "Progress":
        """An independent copy."""
        return Progress(  # not `replace`, which takes five times as long: every fact makes a copy
            self.state,
            self.attempt,
            self.accepted_id,
            self.failures,
            dict(self.tokens),
            self.first_attempt,
            self.told_after_end,
            self.requeues,
            self.requeued,
        )


def advance(progress: Progress, fact: AnyFact) -> str | None:
    """Move `progress` by one fact, in place. Returns what is anomalous about the fact, or None."""
    if progress.state in TERMINAL:
        _note_after_end(progress, fact)
    kind = type(fact)
    odd = _STEPS[kind](progress, fact)
    if odd is None and progress.accepted_id is None and kind is not TaskRejected:
        return "a fact of a task that was never accepted"
    return odd


def _note_after_end(progress: Progress, fact: AnyFact) -> None:
    if not isinstance(fact, TaskAccepted | TaskRejected | TaskRequeued) and fact.attempt > progress.attempt:
        progress.told_after_end = max(progress.told_after_end, fact.attempt)


def _accepted(progress: Progress, fact: TaskAccepted) -> str | None:
    if progress.accepted_id is not None:
        if fact.id == progress.accepted_id:
            return None
        return "accepted again with another type or payload; the first acceptance holds"
    progress.accepted_id = fact.id
    if progress.state not in (State.UNKNOWN, State.REJECTED):
        return "accepted after facts that should have followed"
    progress.state = State.ACCEPTED
    progress.attempt = max(progress.attempt, 1)
    return None


def _rejected(progress: Progress, _: TaskRejected) -> str | None:
    if progress.accepted_id is not None:
        return "a submission under the id of an accepted task was rejected"
    if progress.state is State.UNKNOWN:
        progress.state = State.REJECTED
    return None


def _dispatched(progress: Progress, fact: TaskDispatched) -> str | None:
    # Publishing precedes the fact, so it may arrive after the start or even the end of its attempt: no anomaly.
    if fact.attempt < progress.attempt:
        return f"attempt {fact.attempt} dispatched after attempt {progress.attempt} was due"
    if progress.terminal:
        return None if fact.attempt == progress.attempt else "dispatched after the end"
    if fact.attempt == progress.attempt:
        if progress.state in WAITING:
            progress.state = State.DISPATCHED
        return None
    return _jump(progress, fact.attempt, State.DISPATCHED, "dispatched")


def _started(progress: Progress, fact: TaskExecutionStarted) -> str | None:
    if progress.terminal:
        return "started after the end"
    if fact.attempt < progress.first_attempt:
        return f"attempt {fact.attempt} started after a requeue had opened attempt {progress.first_attempt}"
    if _forgotten(progress, fact.attempt):
        return f"attempt {fact.attempt} started long after attempt {progress.attempt} was due"
    known = progress.tokens.get(fact.attempt)
    if known is not None and fact.token <= known:
        return "started with a token that is not above the last one"
    progress.tokens[fact.attempt] = fact.token
    if fact.attempt < progress.attempt:
        return f"attempt {fact.attempt} started after attempt {progress.attempt} was due"
    if fact.attempt > progress.attempt:
        return _jump(progress, fact.attempt, State.RUNNING, "started")
    if progress.state is State.FAILED:
        return "started again after its outcome"
    progress.state = State.RUNNING
    return None


def _ended(progress: Progress, fact: TaskExecutionCompleted | TaskExecutionFailed) -> str | None:
    if progress.terminal:
        return "an outcome after the end does not count"
    if fact.attempt < progress.first_attempt:
        return f"an outcome of attempt {fact.attempt}, from before the task was requeued, does not count"
    if _forgotten(progress, fact.attempt):
        return f"an outcome of attempt {fact.attempt} long after attempt {progress.attempt} was due does not count"
    known = progress.tokens.get(fact.attempt)
    if known is not None and fact.token < known:
        return "an outcome below the highest token of its attempt does not count"
    progress.tokens[fact.attempt] = fact.token
    if isinstance(fact, TaskExecutionCompleted):
        return _completed(progress, fact, known)
    return _failed(progress, fact, known)


def _completed(progress: Progress, fact: TaskExecutionCompleted, known: Token | None) -> str | None:
    due = progress.attempt
    if fact.attempt < due:
        progress.state = State.COMPLETED
        return f"completed by attempt {fact.attempt}, though attempt {due} was due"
    odd = None if fact.attempt == due else _jump(progress, fact.attempt, State.COMPLETED, "completed")
    progress.state = State.COMPLETED
    return odd or ("completed without a start" if known is None else None)


def _failed(progress: Progress, fact: TaskExecutionFailed, known: Token | None) -> str | None:
    due = progress.attempt
    if fact.attempt < due:
        return f"attempt {fact.attempt} failed after attempt {due} was due"
    if fact.attempt == due and progress.state is State.FAILED:
        return "a second outcome of the attempt does not count"
    odd = None if fact.attempt == due else _jump(progress, fact.attempt, State.FAILED, "failed")
    progress.state = State.FAILED
    progress.failures += fact.counted
    # What does not count was not run, so nobody claims to have started it.
    return odd or ("failed without a start" if known is None and fact.counted else None)


def _retry_scheduled(progress: Progress, fact: TaskRetryScheduled) -> str | None:
    if progress.terminal:
        return "retry scheduled after the end"
    if fact.attempt <= progress.attempt:
        return f"retry scheduled for attempt {fact.attempt}, though attempt {progress.attempt} was due"
    progress.failures = max(progress.failures, fact.failures)
    if fact.attempt == progress.attempt + 1 and progress.state not in WAITING:
        _move(progress, fact.attempt, State.RETRY_SCHEDULED)
        return None
    return _jump(progress, fact.attempt, State.RETRY_SCHEDULED, "scheduled")


def _failed_permanently(progress: Progress, fact: TaskFailedPermanently) -> str | None:
    if progress.terminal:
        return "given up after the end"
    if fact.attempt < progress.attempt:
        return f"given up at attempt {fact.attempt}, though attempt {progress.attempt} was due"
    odd = None if fact.attempt == progress.attempt else f"attempt {fact.attempt} given up out of order"
    _move(progress, fact.attempt, State.FAILED_PERMANENTLY)
    return odd


def _requeued(progress: Progress, fact: TaskRequeued) -> str | None:
    if fact.id in progress.requeued:
        return None
    progress.requeued = (*progress.requeued, fact.id)[-MAX_REQUEUES_REMEMBERED:]
    if progress.state in (State.UNKNOWN, State.REJECTED):
        return "requeued, and it was never accepted"
    if progress.state is not State.FAILED_PERMANENTLY:
        return f"requeued while it was {progress.state}: only what has failed permanently is tried again"
    if progress.accepted_id is None:
        return None
    # Above all that anybody has told of: facts about it must not be those of an attempt that was mentioned before.
    attempt = max(progress.attempt, progress.told_after_end) + 1
    if attempt > LAST_ATTEMPT:
        return f"requeued, and attempt {LAST_ATTEMPT} is the last one there can be"
    progress.first_attempt, progress.failures, progress.requeues = attempt, 0, progress.requeues + 1
    _move(progress, attempt, State.RETRY_SCHEDULED)
    return None


def _jump(progress: Progress, attempt: int, state: State, verb: str) -> str | None:
    """Go to an attempt that nothing announced. The first attempt of a task seen late is not worth a second word."""
    first = progress.attempt == 0 and attempt == 1
    _move(progress, attempt, state)
    return None if first else f"attempt {attempt} {verb} out of order"


def _move(progress: Progress, attempt: int, state: State) -> None:
    progress.attempt, progress.state = attempt, state
    if len(progress.tokens) > MAX_ATTEMPTS_REMEMBERED:
        kept = progress.tokens.items()
        progress.tokens = {number: token for number, token in kept if not _forgotten(progress, number)}


def _forgotten(progress: Progress, attempt: int) -> bool:
    return attempt <= progress.attempt - MAX_ATTEMPTS_REMEMBERED


_STEPS: dict[type[AnyFact], Callable[[Progress, Any], str | None]] = {
    TaskAccepted: _accepted,
    TaskRejected: _rejected,
    TaskRequeued: _requeued,
    TaskDispatched: _dispatched,
    TaskExecutionStarted: _started,
    TaskExecutionCompleted: _ended,
    TaskExecutionFailed: _ended,
    TaskRetryScheduled: _retry_scheduled,
    TaskFailedPermanently: _failed_permanently,
}
