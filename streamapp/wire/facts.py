"""Facts as CloudEvents 1.0 in structured JSON mode (https://github.com/cloudevents/spec, version 1.0.2).

`encode` and `decode` are inverse for every fact; `tests/contract/golden` holds one of each type that must decode for
ever. Unknown fields are ignored, so that a later version may add some; an unknown type is undecodable.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from streamapp.domain import facts as domain
from streamapp.domain.facts import AnyFact, FieldError, Origin, Token
from streamapp.domain.policy import Policy
from streamapp.wire import json, schema

SPECVERSION = "1.0"
CONTENT_TYPE = "application/cloudevents+json"


class Undecodable(ValueError):
    """A record that is not a fact. The message is the reason; it never quotes the record."""


_WITH_CONTENT = (schema.Accepted, schema.Completed)
_TYPE = b'"type":"'
_TYPE_IS_WITHIN = 120
"""Bytes in which `encode` has come to the type."""

_envelope = msgspec.json.Decoder(schema.Envelope[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def encode(fact: AnyFact) -> tuple[bytes, bytes]:
    """Key (the task id) and value of the record that carries `fact`."""
    envelope = schema.Envelope(
        SPECVERSION,
        fact.id,
        fact.NAME,
        fact.source,
        fact.task_id,
        fact.time,
        "application/json",
        _to_struct(fact),
        fact.traceparent,
    )
    return fact.task_id.encode(), _encode(envelope)


def decode(key: bytes | None, value: bytes | None) -> AnyFact:
    """The fact in a record.

    Raises:
        Undecodable: no value, not JSON, not a CloudEvent, an unknown fact type, data that breaks the fact's schema, or
            a key that is not the task id (such a record lies in a partition where the task does not).
    """
    if value is None:
        raise Undecodable("no value")
    try:
        envelope, build = _read(value)
        data: Any = envelope.data
        if key != envelope.subject.encode():
            raise Undecodable("the key is not the subject")
        if data.task_id != envelope.subject:
            raise Undecodable("data.taskId is not the subject")
        if len(key) > schema.MAX_ID_BYTES:
            raise Undecodable(f"the task id is longer than {schema.MAX_ID_BYTES} bytes")
        if isinstance(data, schema.Accepted) and len(data.task_type.encode()) > schema.MAX_ID_BYTES:
            raise Undecodable(f"the task type is longer than {schema.MAX_ID_BYTES} bytes")
        if isinstance(data, _WITH_CONTENT) and json.too_deep(value, _content(data)):
            raise Undecodable(f"nested deeper than {json.MAX_DEPTH} levels")
        return build(envelope, data)
    except msgspec.MsgspecError as error:
        raise Undecodable(str(error)) from None
    except UnicodeError:
        raise Undecodable("not UTF-8") from None
    except RecursionError:
        raise Undecodable("nested too deep to be read") from None


def _read(value: bytes) -> tuple[schema.Envelope[Any], Callable[[Any, Any], AnyFact]]:
    """The envelope with what is in it, and who makes a fact of both.

    What `encode` has written tells its type near its beginning, and is read in one go. Anything else, and whatever is
    wrong, is read in two steps.
    """
    begin = value.find(_TYPE, 0, _TYPE_IS_WITHIN) + len(_TYPE)
    expected = _WHOLE.get(value[begin : value.find(b'"', begin)])
    if expected is not None:
        name, decoder, build = expected
        try:
            whole = decoder.decode(value)
        except msgspec.MsgspecError:
            return _read_in_steps(value)
        if whole.type == name and whole.specversion == SPECVERSION:
            return whole, build
    return _read_in_steps(value)


def _read_in_steps(value: bytes) -> tuple[schema.Envelope[Any], Callable[[Any, Any], AnyFact]]:
    envelope = _envelope.decode(value)
    reader = _READERS.get(envelope.type)
    if envelope.specversion != SPECVERSION:
        raise Undecodable("not CloudEvents 1.0")
    if reader is None:
        raise Undecodable("unknown fact type")
    decoder, build = reader
    return msgspec.structs.replace(envelope, data=decoder.decode(envelope.data)), build


def _content(data: schema.Accepted | schema.Completed) -> Any:
    return data.payload if isinstance(data, schema.Accepted) else data.result


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
            raise Undecodable("unknown kind of origin")


def _token_struct(token: Token) -> schema.Token:
    return schema.Token(token.epoch, token.claim)


def _token(data: schema.Token) -> Token:
    return Token(data.epoch, data.claim)


def _to_struct(fact: AnyFact) -> schema.Struct:
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


_BUILDERS: dict[str, tuple[Any, Callable[[Any, Any], AnyFact]]] = {
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
_READERS = {name: (msgspec.json.Decoder(data), build) for name, (data, build) in _BUILDERS.items()}
_WHOLE = {
    name.encode(): (name, msgspec.json.Decoder(schema.Envelope[data]), build)  # type: ignore[valid-type]
    for name, (data, build) in _BUILDERS.items()
}
