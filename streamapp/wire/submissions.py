"""What comes from outside, checked strictly: events of other producers, tasks and requests to requeue over HTTP.

No coercion, no missing field, no unknown field unless the settings allow it. Every field error is reported at once, as
an RFC 6901 JSON pointer and a message that never quotes a value.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from streamapp.domain.facts import FieldError
from streamapp.wire import json
from streamapp.wire.schema import MAX_ACTOR_BYTES, MAX_ID_BYTES, MAX_REASON_BYTES

MAX_ERRORS = 50
"""Field errors reported for one submission."""

MAX_REQUEUED = 1000
"""Tasks that one request may requeue."""


def _one_line(value: str, most_bytes: int) -> str:
    if len(value.encode("utf-8", "surrogatepass")) > most_bytes:
        raise ValueError(f"must be at most {most_bytes} bytes of UTF-8")
    if not value.isprintable():
        raise ValueError("must contain printable characters only")
    if value != value.strip():
        raise ValueError("must not begin or end with white space")
    return value


def _identifier(value: str) -> str:
    return _one_line(value, MAX_ID_BYTES)


Identifier = Annotated[str, Field(min_length=1), AfterValidator(_identifier)]
"""A task id or a type: 1 to 200 bytes of UTF-8, printable."""

Actor = Annotated[str, Field(min_length=1), AfterValidator(lambda value: _one_line(value, MAX_ACTOR_BYTES))]
Reason = Annotated[str, Field(min_length=1), AfterValidator(lambda value: _one_line(value, MAX_REASON_BYTES))]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Event(_Strict):
    """One event in `consume-event`, as the first seed has it."""

    eventId: Identifier = Field(description="Unique identifier, used as the task id")  # noqa: N815 - the wire's word
    timestamp: int = Field(ge=0, description="Unix epoch time in milliseconds")
    type: Identifier = Field(description="Event type, for example USER_CREATED")
    payload: dict[str, Any] = Field(description="Event-specific data")


class LenientEvent(Event):
    """An event where the settings allow unknown fields; they are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class Submission(_Strict):
    """One task over HTTP."""

    type: Identifier = Field(description="A registered task type")
    payload: dict[str, Any] = Field(description="Parameters of the task")
    taskId: Identifier | None = Field(  # noqa: N815 - the wire's word
        default=None, description="Chosen by the client; otherwise a UUIDv7 is made"
    )


class RequeueRequest(_Strict):
    """Tasks that have failed for good and are to be tried again."""

    taskIds: list[Identifier] = Field(  # noqa: N815 - the wire's word
        min_length=1, max_length=MAX_REQUEUED, description="The tasks, none of them twice"
    )
    actor: Actor = Field(description="Who wants it: shown in the tasks' history")
    reason: Reason = Field(description="Why: shown in the tasks' history")


class Invalid(ValueError):
    """A submission with field errors. `task_id` and `type` are what could be read of them in spite of the errors."""

    def __init__(self, errors: Iterable[FieldError], *, task_id: str | None = None, type: str | None = None) -> None:
        self.errors = tuple(errors)
        self.task_id = task_id
        self.type = type
        super().__init__("; ".join(f"{error.pointer or '/'}: {error.message}" for error in self.errors))


def read_event(value: bytes | None, *, allow_unknown_fields: bool = False) -> Event:
    """The event in a record of `consume-event`.

    Raises:
        Invalid: with every field error, and the eventId if one is legible.
    """
    if value is None:
        raise Invalid([FieldError("", "no value: a record without a value is not an event")])
    try:
        document = json.parse(value)
    except json.Malformed as error:
        raise Invalid([FieldError("", f"not valid JSON: {error}")]) from None
    try:
        return (LenientEvent if allow_unknown_fields else Event).model_validate(document)
    except ValidationError as error:
        raise Invalid(field_errors(error), task_id=_legible(document, "eventId")) from None


def read_submission(document: Any) -> Submission:
    """A parsed HTTP body as a submission.

    Raises:
        Invalid: with every field error, and the taskId if one is legible.
    """
    try:
        return Submission.model_validate(document)
    except ValidationError as error:
        raise Invalid(field_errors(error), task_id=_legible(document, "taskId")) from None


def read_requeue(document: Any) -> RequeueRequest:
    """A parsed HTTP body as a request to requeue.

    Raises:
        Invalid: with every field error; an id that is there twice is one.
    """
    try:
        request = RequeueRequest.model_validate(document)
    except ValidationError as error:
        raise Invalid(field_errors(error)) from None
    first: dict[str, int] = {}
    places = enumerate(request.taskIds)
    again = [(index, first[task_id]) for index, task_id in places if first.setdefault(task_id, index) < index]
    errors = [FieldError(f"/taskIds/{index}", f"is the same as /taskIds/{one}") for index, one in again[:MAX_ERRORS]]
    if errors:
        raise Invalid(errors)
    return request


def field_errors(error: ValidationError, *, below: str = "") -> tuple[FieldError, ...]:
    """Pydantic's errors as pointers under `below` and messages; at most MAX_ERRORS of them."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(FieldError(below + _pointer(detail), _message(detail)) for detail in details[:MAX_ERRORS])


def _message(detail: ErrorDetails) -> str:
    # The one message of pydantic's own that quotes what was sent.
    return "must have a tag that is known" if detail["type"] == "union_tag_invalid" else detail["msg"]


def _pointer(detail: ErrorDetails) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in detail["loc"])
    return "".join(f"/{part[:200]}" for part in parts)


def _legible(document: Any, name: str) -> str | None:
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        return None
    try:
        return _identifier(value)
    except ValueError:
        return None
