"""Requests to requeue, from outside and as facts: every error by pointer, never a value."""

import json

import pytest
from msgspec.structs import replace

from streamapp.domain.facts import TaskRequeued
from streamapp.wire.facts import Undecodable, decode, encode
from streamapp.wire.submissions import MAX_ERRORS, MAX_REQUEUED, Invalid, RequeueRequest, read_requeue
from tests.support.story import Story

CANARY = "s3cr3t-canary"
GOOD = {"taskIds": ["t-1", "t-2"], "actor": "ann", "reason": "the mail server is back"}


def _refused(document: object) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read_requeue(document)
    assert CANARY not in str(caught.value)
    return [error.pointer for error in caught.value.errors]


def _with(**changes: object) -> dict[str, object]:
    document = {**GOOD, **changes}
    return {name: value for name, value in document.items() if value is not ...}


def test_a_good_request_is_read_as_it_is():
    assert read_requeue(GOOD) == RequeueRequest(**GOOD)
    most = [f"t-{number}" for number in range(MAX_REQUEUED)]
    assert read_requeue(_with(taskIds=most)).taskIds == most
    assert read_requeue(_with(actor="é" * 100, reason="é" * 500)).actor == "é" * 100


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        (_with(taskIds=...), ["/taskIds"]),
        (_with(actor=...), ["/actor"]),
        (_with(reason=...), ["/reason"]),
        (_with(attempt=4), ["/attempt"]),
        (_with(taskIds=[]), ["/taskIds"]),
        (_with(taskIds="t-1"), ["/taskIds"]),
        (_with(taskIds=[f"t-{number}" for number in range(MAX_REQUEUED + 1)]), ["/taskIds"]),
        (_with(taskIds=["t", 7, "", None]), ["/taskIds/1", "/taskIds/2", "/taskIds/3"]),
        (_with(taskIds=["t", " t"]), ["/taskIds/1"]),
        (_with(taskIds=["t", "x" * 201]), ["/taskIds/1"]),
        (_with(taskIds=["t", "u", "t", "t", "u"]), ["/taskIds/2", "/taskIds/3", "/taskIds/4"]),
        (_with(taskIds=[CANARY, CANARY]), ["/taskIds/1"]),
        (_with(actor=""), ["/actor"]),
        (_with(actor=" "), ["/actor"]),
        (_with(actor=7), ["/actor"]),
        (_with(actor="é" * 101), ["/actor"]),
        (_with(actor=CANARY + "\x1b[31m"), ["/actor"]),
        (_with(reason=""), ["/reason"]),
        (_with(reason="x" * 1001), ["/reason"]),
        (_with(reason=f"two\n{CANARY}"), ["/reason"]),
        (_with(reason="right\u202eleft"), ["/reason"]),
        (_with(actor=None, reason=None, taskIds=None), ["/actor", "/reason", "/taskIds"]),
        ([], [""]),
        (None, [""]),
        (CANARY, [""]),
    ],
)
def test_every_error_has_a_pointer(document, pointers):
    assert sorted(_refused(document)) == sorted(pointers)


def test_errors_are_bounded():
    assert len(_refused(_with(taskIds=["t"] * MAX_REQUEUED))) == MAX_ERRORS


def _fact(**changes: object) -> tuple[bytes, bytes]:
    key, value = encode(Story().requeued().fact)
    document = json.loads(value)
    document["data"] = {name: item for name, item in {**document["data"], **changes}.items() if item is not ...}
    return key, json.dumps(document).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": ...},
        {"reason": ...},
        {"actor": ""},
        {"reason": ""},
        {"actor": "x" * 201},
        {"reason": "x" * 1001},
        {"actor": "a\nb"},
        {"actor": "a\n"},
        {"reason": "\x1b[31m"},
        {"reason": "a\x85b"},
        {"actor": 7},
        {"taskId": "another"},
    ],
)
def test_what_breaks_a_bound_is_no_fact(changes):
    with pytest.raises(Undecodable):
        decode(*_fact(**changes))


def test_unknown_fields_are_ignored():
    assert decode(*_fact(attempt=4)) == Story().requeued().fact


def test_the_longest_that_a_request_may_say_is_a_fact():
    fact = Story().requeued().fact
    assert isinstance(fact, TaskRequeued)
    longest = replace(fact, actor="é" * 100, reason="é" * 500)
    assert decode(*encode(longest)) == longest
