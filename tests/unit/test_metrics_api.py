"""What the api counts, over real HTTP with a fact log whose answers the test chooses."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from streamapp.api.service import build
from streamapp.clock import SystemClock
from streamapp.domain.errors import OutcomeUnknown, Refused
from streamapp.domain.facts import AnyFact
from streamapp.metrics import Metrics
from streamapp.producer import Position
from streamapp.settings import Settings
from streamapp.tasktypes import Registry, TaskType
from tests.support.metrics import Scrape, read

REGISTRY = Registry.of([TaskType("ANY")])
GOOD: dict[str, Any] = {"type": "ANY", "payload": {}}
PLACE = Position("topic", 3, 5, 1000)


class Answers:
    """Answers every fact in the same way."""

    available = True

    def __init__(self, answer: Position | Exception = PLACE) -> None:
        self.answer = answer

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        return [self.answer for _ in facts]

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        raise AssertionError("the api must not wait for ever")


class Api:
    """An api that is served."""

    def __init__(self, facts: Answers) -> None:
        self.metrics = Metrics()
        application = build(Settings(), REGISTRY, facts, SystemClock(), measured=self.metrics)
        self.client = TestClient(TestServer(application))

    async def __aenter__(self) -> "Api":
        await self.client.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def post(self, document: Any, path: str = "/v1/tasks") -> ClientResponse:
        return await self.client.post(path, json=document)

    async def scrape(self) -> Scrape:
        response = await self.client.get("/metrics")
        assert response.status == 200
        assert response.content_type == "text/plain"
        return read(await response.text())


async def test_an_accepted_task_is_one_request_and_one_task() -> None:
    async with Api(Answers()) as api:
        assert (await api.post(GOOD)).status == 202
        told = await api.scrape()
    assert told.value("streamapp_api_requests_total", method="POST", route="/v1/tasks", status="202") == 1
    assert told.value("streamapp_api_request_duration_seconds_count", route="/v1/tasks") == 1
    assert told.value("streamapp_api_tasks_total", outcome="accepted") == 1
    assert told.value("streamapp_api_requests_in_flight") == 1  # the scrape itself


@pytest.mark.parametrize(
    ("answer", "status", "outcome"),
    [(Refused("Kafka is down"), "503", "refused"), (OutcomeUnknown("no ack"), "503", "unknown")],
)
async def test_what_kafka_does_not_take_is_counted_by_what_is_known(
    answer: Exception, status: str, outcome: str
) -> None:
    async with Api(Answers(answer)) as api:
        assert str((await api.post(GOOD)).status) == status
        told = await api.scrape()
    assert told.value("streamapp_api_requests_total", method="POST", route="/v1/tasks", status=status) == 1
    assert told.value("streamapp_api_tasks_total", outcome=outcome) == 1
    assert told.value("streamapp_api_tasks_total", outcome="accepted") == 0


async def test_every_task_of_a_batch_counts() -> None:
    async with Api(Answers()) as api:
        batch = {"tasks": [GOOD, {"type": "MISSING", "payload": {}}, GOOD]}
        assert (await api.post(batch, "/v1/tasks:batch")).status == 207
        told = await api.scrape()
    assert told.value("streamapp_api_tasks_total", outcome="accepted") == 2
    assert told.value("streamapp_api_tasks_total", outcome="rejected") == 1
    assert told.value("streamapp_api_requests_total", method="POST", route="/v1/tasks:batch", status="207") == 1


async def test_what_a_client_makes_up_adds_no_series() -> None:
    async with Api(Answers()) as api:
        for number, method in enumerate(("PROPFIND", "LOCK", "MKCOL", "PURGE", "REPORT")):
            assert (await api.client.get(f"/made/up/{number}")).status == 404
            assert (await api.client.get(f"/v1/tasks/{number}")).status == 404
            assert (await api.client.request(method, "/v1/tasks", data=b"")).status == 405
        told = await api.scrape()
    series = told.having("streamapp_api_requests_total")
    assert len(series) == 3
    assert told.value("streamapp_api_requests_total", method="GET", route="none", status="404") == 5
    assert told.value("streamapp_api_requests_total", method="GET", route="/v1/tasks/{task_id}", status="404") == 5
    assert told.total("streamapp_api_requests_total", method="other", status="405") == 5


async def test_a_fault_is_counted_as_what_it_was_answered_with(caplog: pytest.LogCaptureFixture) -> None:
    facts = Answers()
    facts.append = None  # type: ignore[assignment, method-assign]
    async with Api(facts) as broken:
        assert (await broken.post(GOOD)).status == 500
        told = await broken.scrape()
    assert told.value("streamapp_api_requests_total", method="POST", route="/v1/tasks", status="500") == 1
    assert "a request failed" in caplog.text


async def test_openmetrics_is_answered_where_it_is_asked_for() -> None:
    async with Api(Answers()) as api:
        response = await api.client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
        assert response.content_type == "application/openmetrics-text"
        assert (await response.text()).endswith("# EOF\n")
