"""What lies in a record's data, and the domain's facts: each made of the other.

`data_of` gives the data of a fact; `BUILDERS` has for each type of fact what its data look like, and who makes a fact
of an envelope and them. Used by `facts` alone.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from streamapp.domain import facts as domain
from streamapp.domain.facts import AnyFact, FieldError, Origin, Token
from streamapp.domain.policy import Policy
from streamapp.wire import schema


class UnknownOrigin(ValueError):
    """A kind of origin that no version knows."""


def _policy_struct(policy: Policy) -> schema.Policy:
    return schema.Policy(
        policy.max_attempts,
        policy.delay_seconds,
        policy.multiplier,
        policy.max_delay_seconds,
        policy.timeout_seconds,
        policy.jitter,
    )


def _policy(data: schema.Policy) -> Policy:
    return _one_policy(
        data.max_attempts,
        data.delay_seconds,
        data.multiplier,
        data.max_delay_seconds,
        data.timeout_seconds,
        data.jitter,
    )


_one_policy = lru_cache(256)(Policy)  # an installation has few, and every task carries one


def _origin_struct(origin: Origin) -> schema.Origin:
    return schema.Origin(origin.kind, origin.topic, origin.partition, origin.offset)


def _origin(data: schema.Origin) -> Origin:
    match data.kind:
        case "http" | "event" as kind:
            return Origin(kind, data.topic, data.partition, data.offset)
        case _:
            raise UnknownOrigin("unknown kind of origin")


def _token_struct(token: Token) -> schema.Token:
    return schema.Token(token.epoch, token.claim)


def _token(data: schema.Token) -> Token:
    return Token(data.epoch, data.claim)


def data_of(fact: AnyFact) -> schema.Struct:
    """The data of a record that carries `fact`."""
    match fact:
        case domain.TaskAccepted(task_id=task_id):
            policy, origin = _policy_struct(fact.policy), _origin_struct(fact.origin)
            return schema.Accepted(task_id, fact.type, fact.payload, policy, origin)
        case domain.TaskRejected(task_id=task_id):
            errors = [schema.FieldError(error.pointer, error.message) for error in fact.errors]
            return schema.Rejected(task_id, fact.reason, errors, _origin_struct(fact.origin))
        case domain.TaskDispatched(task_id=task_id):
            return schema.Dispatched(task_id, fact.attempt, fact.queue)
        case domain.TaskExecutionStarted(task_id=task_id):
            return schema.Started(task_id, fact.attempt, fact.worker, _token_struct(fact.token), fact.redelivered)
        case domain.TaskExecutionCompleted(task_id=task_id):
            token = _token_struct(fact.token)
            return schema.Completed(task_id, fact.attempt, fact.worker, token, fact.result, fact.duration_ms)
        case domain.TaskExecutionFailed(task_id=task_id):
            return schema.Failed(
                task_id,
                fact.attempt,
                fact.worker,
                _token_struct(fact.token),
                fact.error_type,
                fact.message,
                fact.retryable,
                fact.duration_ms,
                fact.counted,
            )
        case domain.TaskRetryScheduled(task_id=task_id):
            policy = _policy_struct(fact.policy)
            return schema.RetryScheduled(task_id, fact.attempt, fact.not_before, fact.reason, fact.failures, policy)
        case domain.TaskFailedPermanently(task_id=task_id):
            return schema.FailedPermanently(task_id, fact.attempt, fact.reason)
        case domain.TaskRequeued(task_id=task_id):
            return schema.Requeued(task_id, fact.actor, fact.reason)


def _read_accepted(head: Any, data: schema.Accepted) -> AnyFact:
    policy, origin = _policy(data.policy), _origin(data.origin)
    return domain.TaskAccepted(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        type=data.task_type,
        payload=data.payload,
        policy=policy,
        origin=origin,
    )


def _read_rejected(head: Any, data: schema.Rejected) -> AnyFact:
    errors = tuple(FieldError(error.pointer, error.message) for error in data.errors)
    return domain.TaskRejected(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        reason=data.reason,
        errors=errors,
        origin=_origin(data.origin),
    )


def _read_dispatched(head: Any, data: schema.Dispatched) -> AnyFact:
    return domain.TaskDispatched(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        attempt=data.attempt,
        queue=data.queue,
    )


def _read_started(head: Any, data: schema.Started) -> AnyFact:
    token = _token(data.token)
    return domain.TaskExecutionStarted(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        attempt=data.attempt,
        worker=data.worker_id,
        token=token,
        redelivered=data.redelivered,
    )


def _read_completed(head: Any, data: schema.Completed) -> AnyFact:
    return domain.TaskExecutionCompleted(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        attempt=data.attempt,
        worker=data.worker_id,
        token=_token(data.token),
        result=data.result,
        duration_ms=data.duration_ms,
    )


def _read_failed(head: Any, data: schema.Failed) -> AnyFact:
    return domain.TaskExecutionFailed(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        attempt=data.attempt,
        worker=data.worker_id,
        token=_token(data.token),
        error_type=data.error_type,
        message=data.message,
        retryable=data.retryable,
        counted=data.counted,
        duration_ms=data.duration_ms,
    )


def _read_retry_scheduled(head: Any, data: schema.RetryScheduled) -> AnyFact:
    return domain.TaskRetryScheduled(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        attempt=data.attempt,
        not_before=data.not_before,
        reason=data.reason,
        failures=data.failures,
        policy=_policy(data.policy),
    )


def _read_failed_permanently(head: Any, data: schema.FailedPermanently) -> AnyFact:
    return domain.TaskFailedPermanently(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        attempt=data.attempt,
        reason=data.reason,
    )


def _read_requeued(head: Any, data: schema.Requeued) -> AnyFact:
    return domain.TaskRequeued(
        task_id=head.subject,
        id=head.id,
        source=head.source,
        time=head.time,
        traceparent=head.traceparent,
        actor=data.actor,
        reason=data.reason,
    )


BUILDERS: dict[str, tuple[Any, Callable[[Any, Any], AnyFact]]] = {
    "TaskAccepted": (schema.Accepted, _read_accepted),
    "TaskRejected": (schema.Rejected, _read_rejected),
    "TaskDispatched": (schema.Dispatched, _read_dispatched),
    "TaskExecutionStarted": (schema.Started, _read_started),
    "TaskExecutionCompleted": (schema.Completed, _read_completed),
    "TaskExecutionFailed": (schema.Failed, _read_failed),
    "TaskRetryScheduled": (schema.RetryScheduled, _read_retry_scheduled),
    "TaskFailedPermanently": (schema.FailedPermanently, _read_failed_permanently),
    "TaskRequeued": (schema.Requeued, _read_requeued),
}
"""Type of a fact → what its data look like, and what makes a fact of an envelope and its data."""
