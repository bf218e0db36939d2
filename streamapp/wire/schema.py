"""What a record of the diary looks like: the fields of every fact on the wire, with their bounds.

Read and written by `facts` alone. A record that breaks a bound is no fact; what streamapp writes keeps them.
"""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

MAX_ID_BYTES = 200
"""taskId and type: at most so many UTF-8 bytes (`system.md`, Facts)."""

MAX_ACTOR_BYTES = 200
MAX_REASON_BYTES = 1000
"""Who requeues, and why: at most so many UTF-8 bytes, without control characters; both are shown to people."""

Data = TypeVar("Data")
Attempt = Annotated[int, Meta(ge=1, le=1_000_000)]
Natural = Annotated[int, Meta(ge=0, le=2**53)]
Text = Annotated[str, Meta(max_length=100_000)]
Name = Annotated[str, Meta(max_length=512)]
"""Queues, topics, workers, sources: longer than any broker allows, short enough for a history of hundreds."""


class Struct(msgspec.Struct, rename="camel"):
    """What every part of a record has in common: camelCase on the wire."""


class Policy(Struct):
    """`domain.policy.Policy`."""

    # No defaults: a policy was resolved when the fact was made, and no later version may fill it in otherwise.
    max_attempts: Attempt
    delay_seconds: Annotated[float, Meta(ge=0, le=1e9)]
    multiplier: Annotated[float, Meta(ge=1, le=1e9)]
    max_delay_seconds: Annotated[float, Meta(ge=0, le=1e9)]
    timeout_seconds: Annotated[float, Meta(ge=0.001, le=1e9)]
    jitter: Annotated[float, Meta(ge=0, le=1)]


class Origin(Struct, omit_defaults=True):
    """`domain.facts.Origin`."""

    kind: Name
    topic: Name | None = None
    partition: Natural | None = None
    offset: Natural | None = None


class FieldError(Struct):
    """`domain.facts.FieldError`."""

    pointer: Text
    message: Text


class Token(Struct):
    """`domain.facts.Token`."""

    epoch: Natural
    claim: Natural


class Accepted(Struct):
    """Data of TaskAccepted."""

    task_id: str
    task_type: Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
    payload: Any
    policy: Policy
    origin: Origin


class Rejected(Struct):
    """Data of TaskRejected."""

    task_id: str
    reason: Text
    errors: list[FieldError]
    origin: Origin


class Dispatched(Struct):
    """Data of TaskDispatched."""

    task_id: str
    attempt: Attempt
    queue: Name


class Started(Struct):
    """Data of TaskExecutionStarted."""

    task_id: str
    attempt: Attempt
    worker_id: Name
    token: Token
    redelivered: bool


class Completed(Struct):
    """Data of TaskExecutionCompleted."""

    task_id: str
    attempt: Attempt
    worker_id: Name
    token: Token
    result: Any
    duration_ms: Natural


class Failed(Struct):
    """Data of TaskExecutionFailed."""

    task_id: str
    attempt: Attempt
    worker_id: Name
    token: Token
    error_type: Text
    message: Text
    retryable: bool
    duration_ms: Natural
    counted: bool = True


class RetryScheduled(Struct):
    """Data of TaskRetryScheduled."""

    task_id: str
    attempt: Attempt
    not_before: Natural
    reason: Text
    failures: Natural
    policy: Policy


class FailedPermanently(Struct):
    """Data of TaskFailedPermanently."""

    task_id: str
    attempt: Attempt
    reason: Text


_PLAIN = r"\A[^\x00-\x1f\x7f-\x9f]*\Z"


class Requeued(Struct):
    """Data of TaskRequeued."""

    task_id: str
    actor: Annotated[str, Meta(min_length=1, max_length=MAX_ACTOR_BYTES, pattern=_PLAIN)]
    reason: Annotated[str, Meta(min_length=1, max_length=MAX_REASON_BYTES, pattern=_PLAIN)]


class Envelope(msgspec.Struct, Generic[Data], frozen=True, omit_defaults=True):
    """The CloudEvent around the data of any fact: as bytes still, or as what they say."""

    specversion: str
    id: Annotated[str, Meta(min_length=1, max_length=200)]
    type: str
    source: Name
    subject: Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
    time: Annotated[str, Meta(max_length=64)]
    datacontenttype: str
    data: Data
    traceparent: Annotated[str, Meta(max_length=200)] | None = None
