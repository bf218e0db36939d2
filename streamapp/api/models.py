"""What the api answers, as models: for the OpenAPI document and for tests. Nothing is validated with them at work."""

# Field names are the wire's words.
# ruff: noqa: N815

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamapp.wire.submissions import Submission


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AcceptedTask(_Answer):
    """The diary holds the task: where, in the topic of the facts."""

    taskId: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]


class AcceptedItem(AcceptedTask):
    """An accepted task of a batch."""

    status: Literal[202]


class FieldProblem(_Answer):
    """One reason. `pointer` is an RFC 6901 JSON pointer into the submission."""

    pointer: str
    detail: str


class Place(_Answer):
    """Where a fact lies in the diary."""

    topic: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]


class RequeuedTask(_Answer):
    """The diary holds the TaskRequeued of this task. What it does is in the task's history."""

    taskId: str
    position: Place


class NotRequeued(_Answer):
    """Nothing was recorded, or nobody can say."""

    taskId: str
    outcome: Literal["unknown", "refused"]


class RequeueAnswer(_Answer):
    """One for each task, in the order of the request."""

    requeues: list[RequeuedTask]


class ProblemDocument(_Answer):
    """RFC 9457. Switch on `type`; `detail` is for people."""

    type: Annotated[str, Field(pattern="^/problems/[a-z-]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: Annotated[list[FieldProblem], Field(description="422 and 413: every reason")] = []
    taskId: Annotated[str | None, Field(description="the task this is about, where it can be identified")] = None
    outcome: Annotated[
        Literal["unknown", "refused"] | None,
        Field(description="503: refused, nothing was recorded; unknown, it may be recorded: submit the same again"),
    ] = None
    recorded: Annotated[
        bool | None, Field(description="422 and 413: whether the diary holds a TaskRejected about it")
    ] = None
    links: Annotated[dict[str, str] | None, Field(description="404 of a task: where to look it up")] = None
    items: Annotated[
        "list[AcceptedItem | ProblemDocument] | None", Field(description="a batch of which nothing was accepted")
    ] = None
    requeues: Annotated[
        list[RequeuedTask | NotRequeued] | None, Field(description="503 of a request to requeue: task by task")
    ] = None
    idempotencyKey: Annotated[
        str | None, Field(description="503 of a request to requeue: with this key the same request is the same facts")
    ] = None


class BatchAnswer(_Answer):
    """What became of each task of a batch, in the order of the request."""

    items: list[AcceptedItem | ProblemDocument]


class Batch(_Answer):
    """Tasks to be recorded together. With an Idempotency-Key K, the task at index i has the key `K:i`."""

    tasks: Annotated[list[Submission], Field(min_length=1)]


class HealthAnswer(_Answer):
    """Alive, or ready; if not, why."""

    status: Literal["ok", "unavailable"]
    reasons: list[str] = []
