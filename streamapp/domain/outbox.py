"""The outbox entry of a task: what dispatch remembers of it, and nothing a decision does not need.

Folded from the same facts by the same state machine as the diary's task (`progress`), but with the payload of a job
instead of a history. An entry that ended shrinks to `Closed`, which is what recognises a late second acceptance; that
of a task which has failed for good keeps the entry, because TaskRequeued opens it again.
"""

from typing import TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from streamapp.domain.facts import (
    Json,
    Recorded,
    TaskAccepted,
    TaskDispatched,
    TaskExecutionFailed,
    TaskExecutionStarted,
    TaskRequeued,
    TaskRetryScheduled,
)
from streamapp.domain.policy import Policy
from streamapp.domain.progress import Progress, State, advance


class Open(Struct, gc=False):
    """A task that has not ended. Times are the broker's, in milliseconds; `offset` is the last fact folded.

    `changed_at` is when the state was entered; `error` and `retryable` tell of the last counted failure.
    """

    task_id: str
    offset: int = -1
    progress: Progress = field(default_factory=Progress)
    type: str | None = None
    payload: Json = None
    policy: Policy | None = None
    changed_at: int = 0
    not_before: int = 0
    dispatched_at: int = 0
    queue: str | None = None
    error: str | None = None
    retryable: bool = True
    traceparent: str | None = None


class Closed(Struct, gc=False):
    """A task that has ended, or facts of one that was never accepted: nothing is ever done for it.

    `kept` is the entry of a task that has failed permanently, as a requeue needs it; a completed one keeps nothing.
    Rows of versions that did not know TaskRequeued have none either.
    """

    offset: int
    accepted_id: str | None
    state: State
    kept: Open | None = None


Memory: TypeAlias = Open | Closed


def remember(memory: Memory | None, recorded: Recorded) -> Memory:
    """Fold one fact. May change `memory` in place and return it: for callers who own the only reference.

    A closed entry that is opened again is left as it was: the open one is another object, with a higher offset.
    """
    if memory is None:
        memory = Open(recorded.fact.task_id)
    if recorded.offset <= memory.offset:
        return memory
    if isinstance(memory, Closed):
        return _reopened(memory, recorded) or memory
    memory.offset = recorded.offset
    _fold(memory, recorded)
    progress = memory.progress
    if not progress.terminal:
        return memory
    kept = memory if progress.state is State.FAILED_PERMANENTLY else None
    return Closed(memory.offset, progress.accepted_id, progress.state, kept)


def later(closed: Closed | None, entry: Open | None) -> Memory | None:
    """Which of two rows of one task holds: the one that more facts were folded into.

    An entry that was closed stays beside the one that a requeue has opened, and after a crash an open one may be left
    beside the closed one that followed it.
    """
    if closed is None or (entry is not None and entry.offset > closed.offset):
        return entry
    return closed


def _reopened(closed: Closed, recorded: Recorded) -> Open | None:
    """What a fact makes of a closed entry: an open one, or nothing but a later offset and a longer memory."""
    if closed.kept is not None:
        entry = replace(closed.kept, progress=closed.kept.progress.copy())
        _fold(entry, recorded)
        if not entry.progress.terminal:
            entry.offset = recorded.offset
            return entry
        closed.kept, closed.accepted_id = entry, entry.progress.accepted_id
    closed.offset = recorded.offset
    return None


def _fold(memory: Open, recorded: Recorded) -> None:
    progress, fact = memory.progress, recorded.fact
    accepted = progress.accepted_id is not None
    state, attempt, token = progress.state, progress.attempt, progress.tokens.get(progress.attempt)
    advance(progress, fact)
    changed = (progress.state, progress.attempt) != (state, attempt)
    if changed:
        memory.changed_at = recorded.at
    if progress.attempt != attempt:
        memory.dispatched_at, memory.queue = 0, None
    match fact:
        case TaskAccepted() if not accepted:
            memory.type, memory.payload, memory.policy = fact.type, fact.payload, fact.policy
            memory.traceparent = fact.traceparent
        case TaskDispatched() if fact.attempt == progress.attempt and not memory.dispatched_at:
            memory.dispatched_at, memory.queue = recorded.at, fact.queue
        case TaskExecutionStarted() if progress.state is State.RUNNING and progress.tokens.get(attempt) != token:
            memory.changed_at = recorded.at  # a later claim of the same attempt restarts its clock
        case TaskExecutionFailed() if changed:
            memory.error, memory.retryable = fact.error_type, fact.retryable
        case TaskRetryScheduled() if changed:
            memory.not_before = fact.not_before
        case TaskRequeued() if changed:
            memory.not_before, memory.error, memory.retryable = 0, None, True  # due at once, whatever a clock says
        case _:
            pass
