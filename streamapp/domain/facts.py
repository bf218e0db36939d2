"""The nine facts: what can be said about a task once it has happened.

A fact is past tense and never changed. Facts of one task lie in one Kafka partition, so their offsets order them; the
time that counts is the broker's (`Recorded.at`), because clocks of two producers cannot be compared.
"""

from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import Struct

from streamapp.domain.policy import Policy

Json: TypeAlias = Any
"""A JSON value: the domain passes it on and never looks inside."""


class Token(Struct, frozen=True, order=True, gc=False, array_like=True):
    """Fencing token of one claim: a higher one was issued later (`reliability`, decision 7).

    `epoch` grows with every rebuild of the guard, `claim` with every claim of the same task.
    """

    epoch: int
    claim: int


class Origin(Struct, frozen=True, gc=False, array_like=True):
    """Where a submission came from: the HTTP api, or one record of a topic."""

    kind: Literal["http", "event"]
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


class FieldError(Struct, frozen=True, gc=False):
    """One reason why a submission was refused. `pointer` is an RFC 6901 JSON pointer; values are never quoted."""

    pointer: str
    message: str


class Fact(Struct, frozen=True, kw_only=True, gc=False):
    """What every fact says: `id` is deterministic (see `identity`), `source` who appended it, `time` RFC 3339."""

    NAME: ClassVar[str] = ""

    task_id: str
    id: str
    source: str
    time: str
    traceparent: str | None = None


class TaskAccepted(Fact, frozen=True, kw_only=True, gc=False):
    """The system took the task on. The policy is resolved here, once, so that later settings cannot rewrite it."""

    NAME: ClassVar[str] = "TaskAccepted"

    type: str
    payload: Json
    policy: Policy
    origin: Origin


class TaskRejected(Fact, frozen=True, kw_only=True, gc=False):
    """A submission under this id was refused. Says why, never the values that were refused."""

    NAME: ClassVar[str] = "TaskRejected"

    reason: str
    errors: tuple[FieldError, ...]
    origin: Origin


class TaskDispatched(Fact, frozen=True, kw_only=True, gc=False):
    """RabbitMQ confirmed the job of this attempt. Appended after the confirm, so a start may precede it."""

    NAME: ClassVar[str] = "TaskDispatched"

    attempt: int
    queue: str


class TaskExecutionStarted(Fact, frozen=True, kw_only=True, gc=False):
    """A worker holds the claim and is about to run the handler."""

    NAME: ClassVar[str] = "TaskExecutionStarted"

    attempt: int
    worker: str
    token: Token
    redelivered: bool


class TaskExecutionCompleted(Fact, frozen=True, kw_only=True, gc=False):
    """The handler returned. `duration_ms` is the worker's monotonic time around the handler."""

    NAME: ClassVar[str] = "TaskExecutionCompleted"

    attempt: int
    worker: str
    token: Token
    result: Json
    duration_ms: int


class TaskExecutionFailed(Fact, frozen=True, kw_only=True, gc=False):
    """The attempt ended without success. `counted` is false where the task is not to blame (a job came too late)."""

    NAME: ClassVar[str] = "TaskExecutionFailed"

    attempt: int
    worker: str
    token: Token
    error_type: str
    message: str
    retryable: bool
    counted: bool
    duration_ms: int


class TaskRetryScheduled(Fact, frozen=True, kw_only=True, gc=False):
    """Another attempt is due. `attempt` is the next one, `not_before` in milliseconds since the epoch.

    `failures` is the number of attempts that counted against the policy when this was decided.
    """

    NAME: ClassVar[str] = "TaskRetryScheduled"

    attempt: int
    not_before: int
    reason: str
    failures: int
    policy: Policy


class TaskFailedPermanently(Fact, frozen=True, kw_only=True, gc=False):
    """No further attempt will be made. `attempt` is the last one."""

    NAME: ClassVar[str] = "TaskFailedPermanently"

    attempt: int
    reason: str


class TaskRequeued(Fact, frozen=True, kw_only=True, gc=False):
    """Somebody wants a task that has failed for good to be tried again: `actor` says who, `reason` why.

    The only fact that opens a new attempt after TaskFailedPermanently. Which one that is, and whether there is anything
    to open, is the fold's to say: who appends this reads no view.
    """

    NAME: ClassVar[str] = "TaskRequeued"

    actor: str
    reason: str


AnyFact: TypeAlias = (
    TaskAccepted
    | TaskRejected
    | TaskDispatched
    | TaskExecutionStarted
    | TaskExecutionCompleted
    | TaskExecutionFailed
    | TaskRetryScheduled
    | TaskFailedPermanently
    | TaskRequeued
)

FACTS: tuple[type[AnyFact], ...] = (
    TaskAccepted,
    TaskRejected,
    TaskDispatched,
    TaskExecutionStarted,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskRetryScheduled,
    TaskFailedPermanently,
    TaskRequeued,
)


class Recorded(Struct, frozen=True, gc=False):
    """A fact as the diary holds it: its offset in the task's partition and the broker's time in milliseconds."""

    fact: AnyFact
    offset: int
    at: int
