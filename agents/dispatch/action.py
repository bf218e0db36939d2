"""One entry of the outbox with what is to be done about it: a value, made and carried out by the pump."""

from dataclasses import dataclass

from streamapp.domain.dispatch import GiveUp, Publish, ScheduleRetry
from streamapp.domain.outbox import Open
from streamapp.wire.jobs import Job


@dataclass(frozen=True, slots=True)
class Action:
    """`entry`, filed under `key` in `partition`, and the decision about it."""

    partition: int
    key: bytes
    entry: Open
    decision: Publish | ScheduleRetry | GiveUp

    def job(self) -> Job | None:
        """The job to publish; None if nothing of the kind was decided, or the task was never accepted."""
        entry, decision = self.entry, self.decision
        if not isinstance(decision, Publish) or entry.policy is None or entry.type is None:
            return None
        timeout, trace, first = entry.policy.timeout_seconds, entry.traceparent, entry.progress.first_attempt
        return Job(entry.task_id, decision.attempt, entry.type, entry.payload, timeout, trace, first)
