"""What comes from outside: every error at once, by pointer, and never a value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, field_validator

from streamapp.wire.submissions import (
    MAX_ERRORS,
    Event,
    Invalid,
    field_errors,
    read_event,
    read_submission,
)
from tests.support.wire import json_values

CANARY = "s3cr3t-canary"
EVENT = {"eventId": "evt-1", "timestamp": 1_700_000_000_000, "type": "USER_CREATED", "payload": {"email": CANARY}}


def _event(**changes) -> bytes:
    document = EVENT | changes
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def _refused(value: bytes | None, **options) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read_event(value, **options)
    for error in caught.value.errors:
        assert CANARY not in error.message
    assert CANARY not in str(caught.value)
    return caught.value


def test_a_good_event_is_read_as_it_is():
    assert read_event(_event()) == Event(**EVENT)
    assert read_event(_event(payload={})).payload == {}
    assert read_event(_event(timestamp=0)).timestamp == 0


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"eventId": ...}, ["/eventId"]),
        ({"eventId": 7}, ["/eventId"]),
        ({"eventId": ""}, ["/eventId"]),
        ({"eventId": None}, ["/eventId"]),
        ({"eventId": "x" * 201}, ["/eventId"]),
        ({"eventId": "é" * 101}, ["/eventId"]),
        ({"eventId": "x" * 10_000}, ["/eventId"]),
        ({"eventId": " padded"}, ["/eventId"]),
        ({"eventId": "two\nlines"}, ["/eventId"]),
        ({"eventId": "\x1b[31m" + CANARY}, ["/eventId"]),
        ({"eventId": "zero\u200bwidth"}, ["/eventId"]),
        ({"timestamp": ...}, ["/timestamp"]),
        ({"timestamp": CANARY}, ["/timestamp"]),
        ({"timestamp": "1700000000000"}, ["/timestamp"]),
        ({"timestamp": 1.5}, ["/timestamp"]),
        ({"timestamp": 1700000000000.0}, ["/timestamp"]),
        ({"timestamp": True}, ["/timestamp"]),
        ({"timestamp": -1}, ["/timestamp"]),
        ({"type": ...}, ["/type"]),
        ({"type": ["USER_CREATED"]}, ["/type"]),
        ({"type": "é" * 101}, ["/type"]),
        ({"payload": ...}, ["/payload"]),
        ({"payload": CANARY}, ["/payload"]),
        ({"payload": [CANARY]}, ["/payload"]),
        ({"payload": None}, ["/payload"]),
        ({"extra": CANARY}, ["/extra"]),
        ({"with/slash~tilde": CANARY}, ["/with~1slash~0tilde"]),
        (
            {"eventId": 7, "timestamp": CANARY, "type": ..., "payload": 1},
            ["/eventId", "/timestamp", "/type", "/payload"],
        ),
    ],
    ids=str,
)
def test_every_field_error_is_reported_by_its_pointer(changes, pointers):
    refused = _refused(_event(**changes))
    assert sorted(error.pointer for error in refused.errors) == sorted(pointers)
    assert all(error.message for error in refused.errors)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"null",
        b"[]",
        b'"text"',
        CANARY.encode(),
        b"\xff",
        b"[" * 100_000,
        b"1e400",
        _event()[:-1],
        _event() + b"}",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_object_is_refused_as_a_whole(value):
    refused = _refused(value)
    assert [error.pointer for error in refused.errors] == [""]
    assert refused.task_id is None


def test_a_payload_nested_too_deep_is_refused():
    assert "nested deeper" in str(_refused(_event(payload={"a": json.loads("[" * 80 + "]" * 80)})))


@pytest.mark.parametrize(
    ("changes", "legible"),
    [
        ({"timestamp": CANARY}, "evt-1"),
        ({"timestamp": CANARY, "eventId": "x" * 201}, None),
        ({"timestamp": CANARY, "eventId": 7}, None),
        ({"timestamp": CANARY, "eventId": "a\nb"}, None),
    ],
    ids=str,
)
def test_the_id_is_given_where_it_is_legible(changes, legible):
    assert _refused(_event(**changes)).task_id == legible


def test_unknown_fields_are_ignored_only_where_the_settings_say_so():
    value = _event(extra=CANARY)
    assert read_event(value, allow_unknown_fields=True).eventId == "evt-1"
    refused = _refused(_event(extra=CANARY, timestamp="x"), allow_unknown_fields=True)
    assert [error.pointer for error in refused.errors] == ["/timestamp"]


def test_the_number_of_errors_and_the_length_of_pointers_are_bounded():
    refused = _refused(_event(**{f"{'x' * 5000}{number}": number for number in range(200)}))
    assert len(refused.errors) == MAX_ERRORS
    assert max(len(error.pointer) for error in refused.errors) <= 201


def test_a_submission_over_http():
    assert read_submission({"type": "EMAIL", "payload": {}}).taskId is None
    assert read_submission({"type": "EMAIL", "payload": {}, "taskId": "t-1"}).taskId == "t-1"


@pytest.mark.parametrize(
    ("document", "pointers", "task_id"),
    [
        ({}, ["/type", "/payload"], None),
        (None, [""], None),
        ([], [""], None),
        ({"type": "A", "payload": {}, "taskId": ""}, ["/taskId"], None),
        ({"type": "A", "payload": {}, "taskId": 5}, ["/taskId"], None),
        ({"type": 5, "payload": {}, "taskId": "t-1"}, ["/type"], "t-1"),
        ({"type": "A", "payload": {}, "taskId": "\ud800"}, ["/taskId"], None),
        ({"type": "A", "payload": {}, "priority": CANARY}, ["/priority"], None),
    ],
    ids=str,
)
def test_a_bad_submission_over_http(document, pointers, task_id):
    with pytest.raises(Invalid) as caught:
        read_submission(document)
    assert sorted(error.pointer for error in caught.value.errors) == sorted(pointers)
    assert caught.value.task_id == task_id
    assert CANARY not in str(caught.value)


@given(json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(EVENT, json_values)))
def test_any_json_is_read_or_refused_with_pointers(document):
    try:
        event = read_event(json.dumps(document).encode())
    except Invalid as error:
        refused = error
    else:
        assert event.model_dump() == document
        return
    assert refused.errors
    assert all(error.pointer == "" or error.pointer.startswith("/") for error in refused.errors)


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_read(value):
    with pytest.raises(Invalid):
        read_event(value)


class Cat(BaseModel):
    kind: str = Field(pattern="^cat$")


class Owner(BaseModel):
    """A type's own parameter model, with everything that might quote its input."""

    colour: int
    animal: dict[str, Cat]

    @field_validator("colour", mode="after")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


def test_errors_of_a_type_s_own_model_lie_below_the_payload_and_quote_nothing():
    with pytest.raises(ValidationError) as caught:
        Owner.model_validate({"colour": 3, "animal": {"a": {"kind": CANARY}, "b/c": CANARY}})
    errors = field_errors(caught.value, below="/payload")
    assert [error.pointer for error in errors] == [
        "/payload/colour",
        "/payload/animal/a/kind",
        "/payload/animal/b~1c",
    ]
    assert "must be even" in errors[0].message
    assert all(CANARY not in error.message for error in errors)


def test_a_tag_that_no_model_has_is_not_quoted():
    from typing import Annotated, Literal

    class Left(BaseModel):
        tag: Literal["left"]

    class Right(BaseModel):
        tag: Literal["right"]

    class Either(BaseModel):
        side: Annotated[Left | Right, Field(discriminator="tag")]

    with pytest.raises(ValidationError) as caught:
        Either.model_validate({"side": {"tag": CANARY}})
    (error,) = field_errors(caught.value, below="/payload")
    assert error.pointer == "/payload/side"
    assert CANARY not in error.message
