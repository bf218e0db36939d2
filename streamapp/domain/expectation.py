"""What is expected to happen to a task next, and by when: the watchdog's rule, as a value for people and machines.

In: how a task stands. Out: what comes next, and the moment after which its absence is worth a question. Dispatch acts
by the same limits (`domain/dispatch`); nothing is decided from here. Times are the broker's, in milliseconds.
"""

from typing import Literal, NamedTuple, TypeAlias

from streamapp.domain.dispatch import Limits
from streamapp.domain.progress import State
from streamapp.domain.task import Entry, Task

PROMPTLY_MS = 10_000
"""What dispatch does without waiting for anybody is expected within this."""

What: TypeAlias = Literal["dispatch", "start", "outcome", "retry", "nothing"]

_ENTERED_BY: dict[State, tuple[str, ...]] = {
    State.ACCEPTED: ("TaskAccepted",),
    State.REJECTED: ("TaskRejected",),
    State.DISPATCHED: ("TaskDispatched",),
    State.RUNNING: ("TaskExecutionStarted",),
    State.FAILED: ("TaskExecutionFailed",),
    State.RETRY_SCHEDULED: ("TaskRetryScheduled", "TaskRequeued"),
}
"""State → the facts that lead there."""


class Expected(NamedTuple):
    """What comes next, and by when. `retry` stands for the decision after a failure: another attempt, or none."""

    what: What
    by: int | None


NOTHING = Expected("nothing", None)


def expected(task: Task, since: int, limits: Limits) -> Expected:
    """What is expected next of `task`, which stands as it does since `since` (`standing_since`)."""
    progress, policy = task.progress, task.policy
    if progress.accepted_id is None or policy is None:
        return NOTHING
    match progress.state:
        case State.ACCEPTED:
            return Expected("dispatch", since + PROMPTLY_MS)
        case State.RETRY_SCHEDULED:
            return Expected("dispatch", (task.not_before or since) + PROMPTLY_MS)
        case State.FAILED:
            return Expected("retry", since + PROMPTLY_MS)
        case State.DISPATCHED:
            return Expected("start", since + limits.lost_after_ms)
        case State.RUNNING:
            return Expected("outcome", since + round(policy.timeout_seconds * 1000) + limits.stuck_margin_ms)
        case _:
            return NOTHING


def standing_since(task: Task) -> int:
    """When the task entered its state, as its history tells. A later claim of the same attempt is a new beginning."""
    if task.ended_at is not None and task.progress.terminal:
        return task.ended_at
    wanted = _ENTERED_BY.get(task.progress.state, ())
    for entry in reversed(task.history):
        if entry.fact in wanted and _of_this_attempt(task, entry):
            return entry.at
    return task.history[-1].at if task.history else 0


def why(what: What, since: int, now_ms: int) -> str:
    """In words, what a task that is overdue waits for."""
    seconds = f"{max(now_ms - since, 0) / 1000:.0f} s"
    match what:
        case "dispatch":
            return f"due, and not dispatched, since {seconds}"
        case "start":
            return f"dispatched {seconds} ago, and not started"
        case "outcome":
            return f"started {seconds} ago, and no outcome within its timeout and the guard's lease"
        case "retry":
            return f"failed {seconds} ago, and nothing was decided about another attempt"
        case _:
            return "nothing is expected"


def _of_this_attempt(task: Task, entry: Entry) -> bool:
    attempt = task.progress.attempt
    if entry.attempt is None:
        return True
    if entry.attempt != attempt:
        return False
    token = task.progress.tokens.get(attempt)
    if entry.fact != "TaskExecutionStarted" or token is None:
        return True
    return entry.detail.get("epoch") == token.epoch and entry.detail.get("claim") == token.claim
