"""The scribe: who, when, and an id that is the same for the same append."""

import dataclasses

from hypothesis import given
from msgspec.structs import replace

from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import Origin, TaskExecutionCompleted, TaskExecutionFailed, Token
from streamapp.domain.outcome import Completed, Failed
from streamapp.domain.policy import Policy
from streamapp.wire.scribe import Scribe
from tests.support.facts import facts_of
from tests.support.wire import ids, json_values

API = Scribe("api", "host-1", lambda: "2026-01-01T00:00:00.000Z")
OTHER = Scribe("ingest", "host-2", lambda: "2026-01-02T00:00:00.000Z")
HTTP, EVENT = Origin("http"), Origin("event", "consume-event", 1, 7)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_fact_says_who_appended_it_and_when():
    fact = API.accepted("t", "EMAIL", {}, Policy(), HTTP, TRACE)
    assert (fact.source, fact.time, fact.traceparent) == ("/streamapp/api/host-1", "2026-01-01T00:00:00.000Z", TRACE)


@given(ids, ids, json_values)
def test_the_same_submission_is_the_same_fact_whoever_takes_it(task_id, kind, payload):
    first = API.accepted(task_id, kind, payload, Policy(), HTTP)
    second = OTHER.accepted(task_id, kind, payload, Policy(max_attempts=9), EVENT)
    assert first.id == second.id


def test_the_order_of_a_payload_s_fields_makes_no_other_fact():
    first = API.accepted("t", "A", {"a": 1, "b": {"c": 2, "d": 3}}, Policy(), HTTP)
    second = API.accepted("t", "A", {"b": {"d": 3, "c": 2}, "a": 1}, Policy(), HTTP)
    assert first.id == second.id


def test_another_payload_type_or_task_is_another_fact():
    made = [
        ("t", "A", {"n": 1}),
        ("t", "A", {"n": 2}),
        ("t", "B", {"n": 1}),
        ("u", "A", {"n": 1}),
        ("t", "A", {"n": "1"}),
    ]
    assert len({API.accepted(task, kind, payload, Policy(), HTTP).id for task, kind, payload in made}) == len(made)


def test_an_event_rejected_twice_at_one_place_is_one_fact_and_at_another_place_another():
    at = [EVENT, EVENT, replace(EVENT, offset=8), replace(EVENT, partition=2), HTTP]
    rejected = [API.rejected("t", "invalid", [], origin, b"x").id for origin in at]
    assert rejected[0] == rejected[1]
    assert len(set(rejected)) == 4
    assert API.rejected("t", "invalid", [], HTTP, b"y").id != rejected[-1]


def test_what_dispatch_appends_is_one_fact_a_task_an_attempt_and_a_kind():
    decision = ScheduleRetry(2, 5000, "Boom", 1)
    first = {
        API.dispatched("t", 2, "q").id,
        API.retry_scheduled("t", decision, Policy()).id,
        API.failed_permanently("t", GiveUp(2, "Boom")).id,
    }
    assert len(first) == 3
    assert OTHER.retry_scheduled("t", dataclasses.replace(decision, not_before=9000), Policy()).id in first
    assert API.dispatched("t", 3, "q").id not in first


def test_every_claim_has_facts_of_its_own():
    claims = [("w1", Token(1, 1)), ("w1", Token(1, 2)), ("w1", Token(2, 1)), ("w2", Token(1, 1))]
    assert len({API.started("t", 1, worker, token, False).id for worker, token in claims}) == 4
    assert API.started("t", 1, "w1", Token(1, 1), True).id == OTHER.started("t", 1, "w1", Token(1, 1), False).id


def test_an_outcome_becomes_the_fact_that_tells_it():
    completed = API.ended("t", 1, "w1", Token(1, 1), Completed({"n": 1}), 12)
    failed = API.ended("t", 1, "w1", Token(1, 1), Failed("Boom", "no luck", False, counted=False), 12)
    assert isinstance(completed, TaskExecutionCompleted)
    assert (completed.result, completed.duration_ms) == ({"n": 1}, 12)
    assert isinstance(failed, TaskExecutionFailed)
    assert (failed.error_type, failed.message, failed.retryable, failed.counted) == ("Boom", "no luck", False, False)
    assert completed.id != failed.id


@given(facts_of(), facts_of())
def test_two_facts_of_different_kinds_never_share_an_id(left, right):
    if left.NAME != right.NAME:
        assert left.id != right.id
