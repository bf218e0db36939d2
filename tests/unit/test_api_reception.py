"""Submissions become facts: identity, validity, and what is told about each result. The broker is not asked here."""

from collections.abc import Sequence

import pytest
from pydantic import BaseModel, ConfigDict

from streamapp.api.problems import Problem
from streamapp.api.reception import Accepted, Reception, Rejection
from streamapp.domain import identity
from streamapp.domain.errors import OutcomeUnknown, Refused
from streamapp.domain.facts import AnyFact, TaskAccepted, TaskRejected
from streamapp.producer import Position
from streamapp.tasktypes import Registry, TaskType
from streamapp.wire.scribe import Scribe


class Mail(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    to: str


REGISTRY = Registry.of([TaskType("MAIL", Mail), TaskType("ANY")], max_payload_bytes=100)
GOOD = {"type": "MAIL", "payload": {"to": "a@example.org"}}


class Answers:
    """A fact log whose answers a test chooses."""

    available = True

    def __init__(self, *answers: Position | Exception) -> None:
        self._answers = answers
        self.appended: list[AnyFact] = []

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        self.appended.extend(facts)
        return list(self._answers)

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        raise AssertionError("the api must not wait for ever")


def reception(*answers: Position | Exception, allow_unregistered_types: bool = False) -> Reception:
    return Reception(
        REGISTRY,
        Answers(*answers),
        Scribe("api", "one", lambda: "2026-01-01T00:00:00.000Z"),
        lambda: "made",
        allow_unregistered_types=allow_unregistered_types,
        append_timeout_seconds=1,
        retry_after_seconds=7,
    )


def place(offset: int = 5) -> Position:
    return Position("topic", 3, offset, 1000)


def rejection(document: object, key: str | None = None) -> Rejection:
    verdict = reception().judge(document, key)
    assert isinstance(verdict, Rejection)
    return verdict


def test_a_submission_without_an_identity_gets_a_new_one() -> None:
    fact = reception().judge(GOOD, None, "00-trace")
    assert isinstance(fact, TaskAccepted)
    assert (fact.task_id, fact.type, fact.payload) == ("made", "MAIL", {"to": "a@example.org"})
    assert (fact.traceparent, fact.origin.kind, fact.source) == ("00-trace", "http", "/streamapp/api/one")


def test_the_same_key_is_the_same_task_and_the_same_fact_for_ever() -> None:
    first, second = reception().judge(GOOD, "k-1"), reception().judge(GOOD, "k-1")
    assert isinstance(first, TaskAccepted)
    assert isinstance(second, TaskAccepted)
    assert first.task_id == identity.task_id_of_key("k-1") == "idem-" + first.task_id[5:]
    assert first.id == second.id
    other = reception().judge({"type": "MAIL", "payload": {"to": "b@example.org"}}, "k-1")
    assert isinstance(other, TaskAccepted)
    assert other.task_id == first.task_id
    assert other.id != first.id


def test_a_task_id_that_is_not_the_keys_is_rejected_under_the_keys_id() -> None:
    found = rejection({**GOOD, "taskId": "mine"}, "k-1")
    assert found.problem.status == 422
    assert [error.pointer for error in found.problem.errors] == ["/taskId"]
    assert found.fact is not None
    assert found.fact.task_id == identity.task_id_of_key("k-1")


def test_a_task_id_equal_to_the_keys_is_fine() -> None:
    assert isinstance(reception().judge({**GOOD, "taskId": identity.task_id_of_key("k")}, "k"), TaskAccepted)


def test_an_unregistered_type_is_rejected_with_the_registered_ones() -> None:
    found = rejection({"type": "MIAL", "payload": {}, "taskId": "t"})
    assert found.problem.document()["errors"] == [
        {"pointer": "/type", "detail": "is not registered; registered types: ANY, MAIL"}
    ]
    allowed = reception(allow_unregistered_types=True).judge({"type": "MIAL", "payload": {}}, None)
    assert isinstance(allowed, TaskAccepted)


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({"type": "MAIL", "payload": {"to": 1}}, ["/payload/to"]),
        ({"type": "MAIL", "payload": {"to": "a", "a/b~c": 1}}, ["/payload/a~1b~0c"]),
        ({"type": 1, "payload": []}, ["/type", "/payload"]),
        ({"type": "MAIL", "payload": {}, "more": 1, "taskId": ""}, ["/taskId", "/more"]),
        ({"type": "MAIL", "payload": {"to": "a"}, "taskId": "x" * 201}, ["/taskId"]),
        ({"type": "MAIL", "payload": {"to": "a"}, "taskId": "a\x00b"}, ["/taskId"]),
        ([], [""]),
        (None, [""]),
        ("text", [""]),
    ],
)
def test_every_reason_has_a_pointer(document: object, pointers: list[str]) -> None:
    found = rejection(document)
    assert found.problem.slug == "invalid-submission"
    assert sorted(error.pointer for error in found.problem.errors) == sorted(pointers)
    assert found.fact is None, "nobody can say which task this is about"


def test_a_rejection_is_recorded_where_the_task_can_be_identified_without_its_values() -> None:
    for document, key in [({**GOOD, "payload": {"to": 777123}, "taskId": "t"}, None), ([777123], "k")]:
        fact = rejection(document, key).fact
        assert isinstance(fact, TaskRejected)
        assert fact.task_id == ("t" if key is None else identity.task_id_of_key("k"))
        assert fact.origin.kind == "http"
        assert "777123" not in repr(fact)


def test_a_payload_that_is_too_large_is_413_and_recorded() -> None:
    found = rejection({"type": "ANY", "payload": {"fill": "x" * 101}, "taskId": "t"})
    assert (found.problem.status, found.problem.slug) == (413, "payload-too-large")
    assert [error.pointer for error in found.problem.errors] == ["/payload"]
    assert found.fact is not None
    assert found.fact.reason == "payload too large"


async def test_a_recorded_submission_is_accepted_where_it_lies() -> None:
    subject = reception(place())
    verdict = subject.judge(GOOD, None)
    assert await subject.record([verdict]) == [Accepted("made", "MAIL", place())]


async def test_refused_and_unknown_tell_the_task_and_when_to_try_again() -> None:
    subject = reception(Refused("down"), OutcomeUnknown("late"))
    refused, unknown = await subject.record([subject.judge(GOOD, None), subject.judge(GOOD, "k")])
    assert isinstance(refused, Problem)
    assert isinstance(unknown, Problem)
    assert refused.status == unknown.status == 503
    assert refused.headers == unknown.headers == {"Retry-After": "7"}
    assert (refused.more["taskId"], refused.more["outcome"]) == ("made", "refused")
    assert (unknown.more["taskId"], unknown.more["outcome"]) == (identity.task_id_of_key("k"), "unknown")


@pytest.mark.parametrize(
    ("answer", "recorded"), [(place(), True), (Refused("down"), False), (OutcomeUnknown("late"), False)]
)
async def test_a_rejection_says_whether_it_was_recorded(answer: Position | Exception, recorded: bool) -> None:
    subject = reception(answer)
    (problem,) = await subject.record([subject.judge({"type": "MAIL", "payload": {}}, "k")])
    assert isinstance(problem, Problem)
    assert (problem.status, problem.more["recorded"]) == (422, recorded)


async def test_results_of_a_batch_stay_with_their_submissions() -> None:
    subject = reception(place(1), place(2), Refused("down"))
    verdicts = [
        subject.judge(GOOD, "a"),
        subject.judge({}, None),
        subject.judge({}, "b"),
        subject.judge(GOOD, "c"),
    ]
    first, nameless, rejected, refused = await subject.record(verdicts)
    assert isinstance(first, Accepted)
    assert first.position.offset == 1
    assert isinstance(nameless, Problem)
    assert nameless.more["recorded"] is False
    assert isinstance(rejected, Problem)
    assert rejected.more["recorded"] is True
    assert isinstance(refused, Problem)
    assert refused.slug == "refused"
