"""Writes facts down: gives every fact its deterministic id, its source and its time. Facts are made here only."""

from collections.abc import Callable, Sequence

from streamapp.domain import identity
from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import (
    FieldError,
    Json,
    Origin,
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
from streamapp.domain.outcome import Completed, Outcome
from streamapp.domain.policy import Policy
from streamapp.wire import json


class Scribe:
    """Facts of one process. `source` is `/streamapp/<role>/<instance>`; `now` gives RFC 3339 times."""

    def __init__(self, role: str, instance: str, now: Callable[[], str]) -> None:
        self.source = f"/streamapp/{role}/{instance}"
        self._now = now

    def accepted(
        self, task_id: str, type: str, payload: Json, policy: Policy, origin: Origin, traceparent: str | None = None
    ) -> TaskAccepted:
        """A submission was taken on."""
        digest = identity.payload_digest(json.canonical(payload))
        return TaskAccepted(
            task_id=task_id,
            id=identity.accepted_id(task_id, type, digest),
            source=self.source,
            time=self._now(),
            traceparent=traceparent,
            type=type,
            payload=payload,
            policy=policy,
            origin=origin,
        )

    def rejected(
        self, task_id: str, reason: str, errors: Sequence[FieldError], origin: Origin, submitted: bytes
    ) -> TaskRejected:
        """A submission under a legible id was refused. Of `submitted` only a digest goes into the id."""
        return TaskRejected(
            task_id=task_id,
            id=identity.rejected_id(task_id, origin, identity.payload_digest(submitted)),
            source=self.source,
            time=self._now(),
            reason=reason,
            errors=tuple(errors),
            origin=origin,
        )

    def dispatched(self, task_id: str, attempt: int, queue: str, traceparent: str | None = None) -> TaskDispatched:
        """RabbitMQ confirmed the job."""
        return TaskDispatched(
            task_id=task_id,
            id=identity.dispatch_id(TaskDispatched.NAME, task_id, attempt),
            source=self.source,
            time=self._now(),
            traceparent=traceparent,
            attempt=attempt,
            queue=queue,
        )

    def retry_scheduled(
        self, task_id: str, decision: ScheduleRetry, policy: Policy, traceparent: str | None = None
    ) -> TaskRetryScheduled:
        """Dispatch decided on another attempt."""
        return TaskRetryScheduled(
            task_id=task_id,
            id=identity.dispatch_id(TaskRetryScheduled.NAME, task_id, decision.attempt),
            source=self.source,
            time=self._now(),
            traceparent=traceparent,
            attempt=decision.attempt,
            not_before=decision.not_before,
            reason=decision.reason,
            failures=decision.failures,
            policy=policy,
        )

    def failed_permanently(
        self, task_id: str, decision: GiveUp, traceparent: str | None = None
    ) -> TaskFailedPermanently:
        """Dispatch decided that there will be no further attempt."""
        return TaskFailedPermanently(
            task_id=task_id,
            id=identity.dispatch_id(TaskFailedPermanently.NAME, task_id, decision.attempt),
            source=self.source,
            time=self._now(),
            traceparent=traceparent,
            attempt=decision.attempt,
            reason=decision.reason,
        )

    def requeued(self, task_id: str, actor: str, reason: str, request: str) -> TaskRequeued:
        """Somebody wants a task that has failed for good to be tried again.

        `request` tells requests apart that say the same: the Idempotency-Key, or something that is used once.
        """
        return TaskRequeued(
            task_id=task_id,
            id=identity.requeued_id(task_id, actor, reason, request),
            source=self.source,
            time=self._now(),
            actor=actor,
            reason=reason,
        )

    def started(
        self, task_id: str, attempt: int, worker: str, token: Token, redelivered: bool, traceparent: str | None = None
    ) -> TaskExecutionStarted:
        """A worker is about to run the handler."""
        return TaskExecutionStarted(
            task_id=task_id,
            id=identity.execution_id(TaskExecutionStarted.NAME, task_id, attempt, worker, token),
            source=self.source,
            time=self._now(),
            traceparent=traceparent,
            attempt=attempt,
            worker=worker,
            token=token,
            redelivered=redelivered,
        )

    def ended(
        self,
        task_id: str,
        attempt: int,
        worker: str,
        token: Token,
        outcome: Outcome,
        duration_ms: int,
        traceparent: str | None = None,
    ) -> TaskExecutionCompleted | TaskExecutionFailed:
        """An attempt has an outcome."""
        name = TaskExecutionCompleted.NAME if isinstance(outcome, Completed) else TaskExecutionFailed.NAME
        fact_id = identity.execution_id(name, task_id, attempt, worker, token)
        if isinstance(outcome, Completed):
            return TaskExecutionCompleted(
                task_id=task_id,
                id=fact_id,
                source=self.source,
                time=self._now(),
                traceparent=traceparent,
                attempt=attempt,
                worker=worker,
                token=token,
                result=outcome.result,
                duration_ms=duration_ms,
            )
        return TaskExecutionFailed(
            task_id=task_id,
            id=fact_id,
            source=self.source,
            time=self._now(),
            traceparent=traceparent,
            attempt=attempt,
            worker=worker,
            token=token,
            error_type=outcome.error_type,
            message=outcome.message,
            retryable=outcome.retryable,
            counted=outcome.counted,
            duration_ms=duration_ms,
        )
