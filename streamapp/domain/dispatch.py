"""What dispatch should do about one outbox entry now: a value, carried out by the pump and nowhere else.

Decided from facts alone (`system.md`, Execution): the same entry at the same time gives the same decision, whoever
takes it and however often.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from streamapp.domain.outbox import Open
from streamapp.domain.policy import LAST_ATTEMPT, Policy, delay_ms
from streamapp.domain.progress import State

MOST_FAILURES = 2**53
"""What a fact can carry. A stranger's facts may lead further; what is decided after them must still be readable."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long dispatch waits for signs of life, in milliseconds.

    `stuck_margin_ms` is added to a type's timeout before a start without an outcome counts as failed: lease plus
    margin. `lost_after_ms`: a job is lost when one dispatched this much later to the same queue has started.
    """

    stuck_margin_ms: int = 30_000
    lost_after_ms: int = 120_000


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish the job of `attempt`, then append TaskDispatched."""

    attempt: int


@dataclass(frozen=True, slots=True)
class ScheduleRetry:
    """Append TaskRetryScheduled for `attempt`, due at `not_before` (milliseconds since the epoch)."""

    attempt: int
    not_before: int
    reason: str
    failures: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Append TaskFailedPermanently."""

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (milliseconds since the epoch)."""

    until: int


@dataclass(frozen=True, slots=True)
class AwaitStart:
    """The job is in `queue` since `since`: nothing to do unless the queue moved on without it."""

    queue: str
    since: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """Never anything to do: not accepted."""


Decision: TypeAlias = Publish | ScheduleRetry | GiveUp | Wait | AwaitStart | Nothing


def decide(entry: Open, now_ms: int, queue_started_up_to: int, limits: Limits) -> Decision:
    """What to do about `entry` at `now_ms`.

    `queue_started_up_to` is the broker's time of the latest dispatch to the entry's queue that is known to have
    started; 0 if none is known.
    """
    decision = _decide(entry, now_ms, queue_started_up_to, limits)
    if not isinstance(decision, ScheduleRetry):
        return decision
    if decision.attempt > LAST_ATTEMPT:
        return GiveUp(entry.progress.attempt, f"{decision.reason}: attempt {LAST_ATTEMPT} is the last one there can be")
    return replace(decision, failures=min(decision.failures, MOST_FAILURES))


def _decide(entry: Open, now_ms: int, queue_started_up_to: int, limits: Limits) -> Decision:
    progress, policy = entry.progress, entry.policy
    if progress.accepted_id is None or policy is None:
        return Nothing()
    match progress.state:
        case State.ACCEPTED:
            return Publish(progress.attempt)
        case State.RETRY_SCHEDULED:
            return Wait(entry.not_before) if entry.not_before > now_ms else Publish(progress.attempt)
        case State.FAILED:
            return _after_failure(entry, policy)
        case State.RUNNING:
            return _if_stuck(entry, policy, now_ms, limits)
        case State.DISPATCHED:
            return _if_lost(entry, queue_started_up_to, limits)
        case _:
            return Nothing()


def _after_failure(entry: Open, policy: Policy) -> Decision:
    attempt, failures, error = entry.progress.attempt, entry.progress.failures, entry.error
    if not entry.retryable:
        return GiveUp(attempt, f"{error}: not retryable")
    if failures >= policy.max_attempts:
        return GiveUp(attempt, f"{error}: {failures} of {policy.max_attempts} attempts failed")
    not_before = entry.changed_at + delay_ms(policy, failures, entry.task_id)
    return ScheduleRetry(attempt + 1, not_before, f"{error}", failures)


def _if_stuck(entry: Open, policy: Policy, now_ms: int, limits: Limits) -> Decision:
    deadline = entry.changed_at + round(policy.timeout_seconds * 1000) + limits.stuck_margin_ms
    if now_ms < deadline:
        return Wait(deadline)
    attempt, failures = entry.progress.attempt, entry.progress.failures + 1
    reason = "started, and no outcome within its timeout and the guard's lease"
    if failures >= policy.max_attempts:
        return GiveUp(attempt, reason)
    return ScheduleRetry(attempt + 1, deadline + delay_ms(policy, failures, entry.task_id), reason, failures)


def _if_lost(entry: Open, queue_started_up_to: int, limits: Limits) -> Decision:
    queue = entry.queue or ""
    if entry.dispatched_at + limits.lost_after_ms >= queue_started_up_to:
        return AwaitStart(queue, entry.dispatched_at)
    reason = f"dispatched, but {queue} moved on without it"
    return ScheduleRetry(entry.progress.attempt + 1, entry.dispatched_at, reason, entry.progress.failures)
