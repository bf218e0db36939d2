"""A submission over HTTP as the beginning of a trace: the request, then the fact, over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.trace import SpanKind, StatusCode

from streamapp.api.service import build
from streamapp.clock import SystemClock
from streamapp.domain.errors import Refused
from streamapp.producer.traced import TracedFactLog
from streamapp.settings import Settings
from streamapp.tasktypes import Registry, TaskType
from streamapp.tracing.context import trace_id_of
from tests.support.spans import Spans, known, links, parent, place, trace
from tests.unit.test_tracing import CALLER, Diary

REGISTRY = Registry.of([TaskType("ANY")])
GOOD = {"type": "ANY", "payload": {}}


@asynccontextmanager
async def api(spans: Spans, diary: Diary) -> AsyncIterator[TestClient[Any, Any]]:
    facts = TracedFactLog(diary, spans.tracing)
    client = TestClient(TestServer(build(Settings(), REGISTRY, facts, SystemClock(), tracing=spans.tracing)))
    await client.start_server()
    try:
        yield client
    finally:
        await client.close()


async def test_a_request_continues_its_callers_trace_and_the_fact_follows_from_the_request() -> None:
    spans, diary = Spans(), Diary()
    async with api(spans, diary) as client:
        assert (await client.post("/v1/tasks", json=GOOD, headers={"traceparent": CALLER})).status == 202
    fact, request = spans.all
    assert (request.name, request.kind) == ("POST /v1/tasks", SpanKind.SERVER)
    assert parent(request) == CALLER
    assert parent(fact) == place(request)
    assert diary.facts[0].traceparent == place(fact)
    assert known(request)["http.response.status_code"] == 202


async def test_a_request_without_a_trace_begins_one() -> None:
    spans, diary = Spans(), Diary()
    async with api(spans, diary) as client:
        await client.post("/v1/tasks", json=GOOD, headers={"traceparent": "nonsense"})
    fact, request = spans.all
    assert request.parent is None
    assert trace(fact) == trace(request)


async def test_tasks_of_a_batch_have_a_trace_each_linked_to_the_request() -> None:
    spans, diary = Spans(), Diary()
    async with api(spans, diary) as client:
        await client.post("/v1/tasks:batch", json={"tasks": [{**GOOD, "taskId": "t1"}, {**GOOD, "taskId": "t2"}]})
    first, second, request = spans.all
    assert [trace(first), trace(second)] == [trace_id_of("t1"), trace_id_of("t2")]
    context = request.get_span_context()
    assert context is not None
    assert links(first) == links(second) == [(context.trace_id, context.span_id)]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/", "/v1/tasks/t1", "/nothing"])
async def test_what_submits_nothing_is_no_span(path: str) -> None:
    spans, diary = Spans(), Diary()
    async with api(spans, diary) as client:
        await client.get(path)
        await client.post("/nothing", json={})
    assert not spans.all


async def test_a_refusal_is_a_span_that_failed() -> None:
    spans, diary = Spans(), Diary(Refused("Kafka is down"))
    async with api(spans, diary) as client:
        assert (await client.post("/v1/tasks", json=GOOD)).status == 503
    fact, request = spans.all
    assert [span.status.status_code for span in (fact, request)] == [StatusCode.ERROR] * 2
    assert known(request)["error.type"] == "503"


async def test_what_is_not_valid_is_the_clients_fault_and_no_failure_of_the_api() -> None:
    spans, diary = Spans(), Diary()
    async with api(spans, diary) as client:
        assert (await client.post("/v1/tasks", json={"type": "ANY"})).status == 422
    (request,) = spans.all
    assert request.status.status_code is StatusCode.UNSET
    assert known(request)["http.response.status_code"] == 422
