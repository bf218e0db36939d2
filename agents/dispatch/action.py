"""One entry of the outbox with what is to be done about it: a value, made and carried out by the pump."""

from collections.abc import Callable
from dataclasses import dataclass

from streamapp.domain.dispatch import GiveUp, Publish, ScheduleRetry
from streamapp.domain.facts import AnyFact
from streamapp.domain.outbox import Open
from streamapp.domain.progress import State
from streamapp.wire.jobs import Job
from streamapp.wire.scribe import Scribe


@dataclass(frozen=True, slots=True)
class Action:
    """`entry`, filed under `key` in `partition`, and the decision about it."""

    partition: int
    key: bytes
    entry: Open
    decision: Publish | ScheduleRetry | GiveUp

    @property
    def due_ms(self) -> int | None:
        """Since when its job has been due, by the broker's clock: the acceptance, or the retry's not-before.

        None if it has no job.
        """
        if not isinstance(self.decision, Publish):
            return None
        entry = self.entry
        retried = entry.progress.state is State.RETRY_SCHEDULED
        return max(entry.not_before, entry.changed_at) if retried else entry.changed_at

    def job(self) -> Job | None:
        """The job to publish; None if nothing of the kind was decided, or the task was never accepted."""
        entry, decision = self.entry, self.decision
        if not isinstance(decision, Publish) or entry.policy is None or entry.type is None:
            return None
        timeout, trace, first = entry.policy.timeout_seconds, entry.traceparent, entry.progress.first_attempt
        return Job(entry.task_id, decision.attempt, entry.type, entry.payload, timeout, trace, first)

    def fact(self, scribe: Scribe, queue_of: Callable[[str], str]) -> AnyFact | None:
        """What the diary is told once the action has come true; None if nothing was decided that it could be told."""
        entry, decision = self.entry, self.decision
        match decision:
            case ScheduleRetry() if entry.policy is not None:
                return scribe.retry_scheduled(entry.task_id, decision, entry.policy, entry.traceparent)
            case GiveUp():
                return scribe.failed_permanently(entry.task_id, decision, entry.traceparent)
            case Publish(attempt) if entry.policy is not None and entry.type is not None:
                return scribe.dispatched(entry.task_id, attempt, queue_of(entry.type), entry.traceparent)
            case _:
                return None
