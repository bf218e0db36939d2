"""`POST /v1/requeues` over HTTP, and which pages may call the api. The broker is not asked here."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from streamapp.api.models import ProblemDocument, RequeueAnswer
from streamapp.api.service import build
from streamapp.clock import SystemClock
from streamapp.domain.errors import OutcomeUnknown, Refused
from streamapp.domain.facts import AnyFact, TaskRequeued
from streamapp.producer import Position
from streamapp.settings import Settings
from streamapp.tasktypes import Registry, TaskType

PATH = "/v1/requeues"
GOOD = {"taskIds": ["t-1", "t-2"], "actor": "ann", "reason": "mended"}
DASHBOARD = "http://localhost:6066"


class Diary:
    """A fact log whose answers a test chooses; positions in a row otherwise."""

    available = True

    def __init__(self, *answers: Position | Exception) -> None:
        self.answers = answers
        self.facts: list[AnyFact] = []

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        first = len(self.facts)
        self.facts.extend(facts)
        return list(self.answers) or [Position("task-lifecycle", 3, first + n, 1000) for n in range(len(facts))]

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        raise AssertionError("the api must not wait for ever")

    @property
    def requeued(self) -> list[TaskRequeued]:
        return [fact for fact in self.facts if isinstance(fact, TaskRequeued)]


@asynccontextmanager
async def served(facts: Diary, **groups: Any) -> AsyncIterator[TestClient[Any, Any]]:
    settings = Settings.model_validate({"instance": "one", **groups})
    application = build(settings, Registry.of([TaskType("ANY")]), facts, SystemClock())
    async with TestClient(TestServer(application)) as client:
        yield client


async def problem(answer: ClientResponse, status: int, slug: str) -> ProblemDocument:
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = ProblemDocument.model_validate(await answer.json(content_type=None))
    assert (answer.status, document.status, document.type) == (status, status, f"/problems/{slug}")
    return document


async def test_every_task_becomes_a_fact_and_is_answered_where_it_lies() -> None:
    diary = Diary()
    async with served(diary) as client:
        answer = await client.post(PATH, json=GOOD)
        assert answer.status == 202
        document = await answer.json()
    RequeueAnswer.model_validate(document)
    place = {"topic": "task-lifecycle", "partition": 3}
    assert document == {
        "requeues": [
            {"taskId": "t-1", "position": {**place, "offset": 0}},
            {"taskId": "t-2", "position": {**place, "offset": 1}},
        ]
    }
    said = [(fact.task_id, fact.actor, fact.reason, fact.source) for fact in diary.requeued]
    assert said == [("t-1", "ann", "mended", "/streamapp/api/one"), ("t-2", "ann", "mended", "/streamapp/api/one")]


async def test_the_same_request_with_the_same_key_is_the_same_facts() -> None:
    diary = Diary()
    async with served(diary) as client:
        for headers in ({"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "other"}):
            assert (await client.post(PATH, json=GOOD, headers=headers)).status == 202
        some = {**GOOD, "taskIds": ["t-2", "t-3"]}
        assert (await client.post(PATH, json=some, headers={"Idempotency-Key": "k"})).status == 202
        why = {**GOOD, "reason": "another"}
        assert (await client.post(PATH, json=why, headers={"Idempotency-Key": "k"})).status == 202
    ids = [fact.id for fact in diary.requeued]
    assert ids[0:2] == ids[2:4]
    assert len({*ids[0:2], *ids[4:6]}) == 4
    assert ids[6] == ids[1]
    assert not {ids[8], ids[9]} & set(ids[:8])


async def test_without_a_key_each_request_is_a_new_one() -> None:
    diary = Diary()
    async with served(diary) as client:
        for _ in range(2):
            assert (await client.post(PATH, json=GOOD)).status == 202
    assert len({fact.id for fact in diary.requeued}) == 4


@pytest.mark.parametrize("key", [None, "mine"])
async def test_what_is_not_acknowledged_is_unknown_and_says_how_to_ask_again(key: str | None) -> None:
    place = Position("task-lifecycle", 0, 7, 1000)
    diary = Diary(place, OutcomeUnknown("late"))
    async with served(diary, api={"retry_after_seconds": 9}) as client:
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = await client.post(PATH, json=GOOD, headers=headers)
        found = await problem(answer, 503, "outcome-unknown")
        assert answer.headers["Retry-After"] == "9"
        assert found.outcome == "unknown"
        assert found.idempotencyKey is not None
        assert key in (None, found.idempotencyKey)
        assert [item.model_dump() for item in found.requeues or ()] == [
            {"taskId": "t-1", "position": {"topic": "task-lifecycle", "partition": 0, "offset": 7}},
            {"taskId": "t-2", "outcome": "unknown"},
        ]
        diary.answers = ()
        again = await client.post(PATH, json=GOOD, headers={"Idempotency-Key": found.idempotencyKey})
        assert again.status == 202
    ids = [fact.id for fact in diary.requeued]
    assert ids[:2] == ids[2:]


async def test_with_kafka_down_it_is_refused_and_nothing_is_recorded() -> None:
    diary = Diary(Refused("Kafka is down"), Refused("Kafka is down"))
    async with served(diary) as client:
        found = await problem(await client.post(PATH, json=GOOD), 503, "refused")
    assert (found.outcome, found.detail) == ("refused", "Kafka is down")
    assert [item.model_dump()["outcome"] for item in found.requeues or ()] == ["refused", "refused"]


async def test_some_refused_and_some_recorded_is_not_all() -> None:
    diary = Diary(Position("task-lifecycle", 0, 7, 1000), Refused("Kafka is down"))
    async with served(diary) as client:
        found = await problem(await client.post(PATH, json=GOOD), 503, "outcome-unknown")
    assert "1 of 2" in found.detail


async def test_what_is_not_valid_names_its_fields_and_records_nothing() -> None:
    diary = Diary()
    async with served(diary) as client:
        bad = {"taskIds": ["t", "t"], "actor": "ann"}
        found = await problem(await client.post(PATH, json=bad), 422, "invalid-requeue")
        assert [error.pointer for error in found.errors] == ["/reason"]
        found = await problem(await client.post(PATH, json={**bad, "reason": "x"}), 422, "invalid-requeue")
        assert [(error.pointer, error.detail) for error in found.errors] == [
            ("/taskIds/1", "is the same as /taskIds/0")
        ]
        twice = b'{"taskIds": ["t"], "taskIds": ["u"], "actor": "a", "reason": "r"}'
        json_type = {"Content-Type": "application/json"}
        await problem(await client.post(PATH, data=twice, headers=json_type), 400, "malformed-json")
        await problem(await client.post(PATH, json=GOOD, headers={"Idempotency-Key": "a b"}), 400, "invalid-header")
        await problem(
            await client.post(PATH, data="{}", headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type"
        )
        await problem(await client.get(PATH), 405, "method-not-allowed")
    assert diary.facts == []


async def test_a_page_of_the_dashboard_may_ask_and_read_the_answers() -> None:
    preflight = {
        "Origin": DASHBOARD,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,idempotency-key",
    }
    async with served(Diary()) as client:
        allowed = await client.options(PATH, headers=preflight)
        assert (allowed.status, allowed.headers["Access-Control-Allow-Origin"]) == (204, DASHBOARD)
        assert allowed.headers["Access-Control-Allow-Methods"] == "GET, POST"
        names = {name.strip().lower() for name in allowed.headers["Access-Control-Allow-Headers"].split(",")}
        assert names == {"content-type", "idempotency-key", "traceparent"}
        for answer in (
            await client.post(PATH, json=GOOD, headers={"Origin": DASHBOARD}),
            await client.post(PATH, json={}, headers={"Origin": DASHBOARD}),
            await client.get("/v1/tasks/t", headers={"Origin": "http://127.0.0.1:6066"}),
            await client.get("/v1/nothing", headers={"Origin": DASHBOARD}),
        ):
            assert answer.headers["Access-Control-Allow-Origin"] == answer.request_info.headers["Origin"]
            assert answer.headers["Vary"] == "Origin"
            assert answer.headers["Access-Control-Expose-Headers"] == "Location, Retry-After"
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:6067", "https://localhost:6066", "http://localhost:6066/"],
)
async def test_a_page_of_anybody_else_may_not(origin: str) -> None:
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with served(Diary()) as client:
        refused = await client.options(PATH, headers=preflight)
        posted = await client.post(PATH, json=GOOD, headers={"Origin": origin})
        simple = await client.post(PATH, data=b"{}", headers={"Origin": origin, "Content-Type": "text/plain"})
    assert refused.status == 405
    assert simple.status == 415, "what needs no preflight is not read"
    for answer in (refused, posted, simple):
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_pages_are_those_of_the_settings_and_of_the_diarys_port() -> None:
    named = {"api": {"dashboard_origins": ["https://ops.example"]}}
    async with served(Diary(), **named) as client:
        answer = await client.get("/v1/tasks/t", headers={"Origin": "https://ops.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://ops.example"
        other = await client.get("/v1/tasks/t", headers={"Origin": DASHBOARD})
        assert "Access-Control-Allow-Origin" not in other.headers
    async with served(Diary(), diary={"port": 7000}) as client:
        answer = await client.get("/v1/tasks/t", headers={"Origin": "http://localhost:7000"})
        assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:7000"


async def test_nothing_outside_of_the_api_proper_is_opened_and_no_origin_changes_nothing() -> None:
    async with served(Diary()) as client:
        for answer in (
            await client.get("/livez", headers={"Origin": DASHBOARD}),
            await client.options("/livez", headers={"Origin": DASHBOARD, "Access-Control-Request-Method": "GET"}),
            await client.get("/v1/tasks/t"),
        ):
            assert not [name for name in answer.headers if name.startswith("Access-Control") or name == "Vary"]
