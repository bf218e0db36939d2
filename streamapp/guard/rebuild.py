"""Which claims a lost guard must remember again, told from the diary's tasks (`reliability`, decision 7).

In: folded tasks. Out: claim records, one per task at most. Pure: reads no clock and no Redis.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed, TaskExecutionStarted, Token
from streamapp.domain.progress import State
from streamapp.domain.task import Entry, Task

_OUTCOMES = (TaskExecutionCompleted.NAME, TaskExecutionFailed.NAME)


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """The last claim of a task as the diary tells it.

    `ended`: the outcome of `attempt` is recorded, since `ended_at_ms` (the broker's time; 0 if not ended), and the
    attempt must not run again. Otherwise it may be claimed anew at once, and nobody is taken for dead. `worker` may
    still be running it: its renewals with this very token are honoured.
    """

    task_id: str
    attempt: int
    token: Token
    ended: bool
    succeeded: bool
    ended_at_ms: int
    worker: str = ""


def claims_of(task: Task, now_ms: int, retention_ms: int) -> ClaimRecord | None:
    """The claim of `task` to remember; None if no worker ever started it or it ended longer than `retention_ms` ago."""
    tokens = task.progress.tokens
    if not tokens:
        return None
    attempt = max(tokens)
    succeeded = task.state is State.COMPLETED
    ended_at = _ended_at(task, attempt, now_ms)
    if ended_at is not None and task.progress.terminal and now_ms - ended_at >= retention_ms:
        return None
    return ClaimRecord(
        task.task_id,
        attempt,
        tokens[attempt],
        ended=ended_at is not None,
        succeeded=succeeded,
        ended_at_ms=ended_at or 0,
        worker=_worker(task, attempt),
    )


def next_epoch(tasks: Iterable[Task]) -> int:
    """One above the highest epoch in any token of `tasks`; at least 1. Its claims outrank every earlier one."""
    return 1 + max((token.epoch for task in tasks for token in task.progress.tokens.values()), default=0)


def _ended_at(task: Task, attempt: int, now_ms: int) -> int | None:
    """When the outcome of `attempt` was recorded, or the whole task ended; None if the attempt is open.

    An outcome below the highest token is that of a worker that had lost its claim. Whoever was granted the attempt
    after it may still be running, and its outcome is kept.
    """
    if task.progress.terminal:
        return task.ended_at
    token = task.progress.tokens[attempt]
    for entry in reversed(task.history):
        if entry.fact in _OUTCOMES and entry.attempt == attempt and _token(entry) == token:
            return entry.at
    if task.dropped and task.state is State.FAILED and task.progress.attempt == attempt:
        return task.history[-1].at  # the outcome is among what the history had no room for
    if attempt < task.progress.first_attempt:
        return now_ms  # given up without an outcome: a requeue does not open it again
    return None


def _worker(task: Task, attempt: int) -> str:
    token = task.progress.tokens[attempt]
    for entry in reversed(task.history):
        if entry.fact == TaskExecutionStarted.NAME and entry.attempt == attempt and _token(entry) == token:
            return entry.worker or ""
    return ""


def _token(entry: Entry) -> Token:
    return Token(entry.detail.get("epoch", 0), entry.detail.get("claim", 0))
