"""The api over real HTTP and a real Kafka: what is accepted is recorded, everything else is a clear no."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from brokers.kafka.broker import KafkaBroker
from streamapp import composition
from streamapp.api.models import AcceptedTask, BatchAnswer, ProblemDocument
from streamapp.api.service import build, runner
from streamapp.clock import SystemClock
from streamapp.domain import identity
from streamapp.domain.facts import AnyFact, TaskAccepted, TaskRejected
from streamapp.producer import FactLog, Position
from streamapp.settings import Settings
from tests.support.brokers import RunningBrokers
from tests.support.fact_log import Stored, create_topic, eventually, fresh_namespace, killed, paused, read_all

GOOD = {"type": "USER_CREATED", "payload": {"userId": "u-1", "email": "u@example.org"}}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = {"Content-Type": "application/json"}


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any

    def problem(self, status: int, slug: str) -> ProblemDocument:
        """The body as a problem of this kind."""
        assert self.headers["Content-Type"] == "application/problem+json"
        document = ProblemDocument.model_validate(self.body)
        assert (self.status, document.status, document.type) == (status, status, f"/problems/{slug}")
        return document


class Held:
    """A fact log that hands over at once and tells nobody before it may."""

    def __init__(self, log: FactLog) -> None:
        self._log = log
        self.appended = asyncio.Event()
        self.release = asyncio.Event()
        self.release.set()

    @property
    def available(self) -> bool:
        return self._log.available

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        results = await self._log.append(facts, timeout_seconds=timeout_seconds)
        self.appended.set()
        await self.release.wait()
        return results

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        return await self._log.append_durably(facts)


@dataclass
class Api:
    """A served api, its topic and the Kafka beneath."""

    url: str
    session: aiohttp.ClientSession
    settings: Settings
    facts: FactLog
    held: Held
    kafka: KafkaBroker

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        headers = {**JSON, **more.pop("headers", {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("POST", path, data=data, headers=headers, **more)

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        async with self.session.request(method, self.url + path, **more) as response:
            body = await response.read()
            return Answer(response.status, response.headers, json.loads(body) if body else None)

    async def stored(self) -> list[Stored]:
        topic = self.settings.names.lifecycle_topic
        return await read_all(self.settings.bootstrap_servers, topic, self.settings.kafka.lifecycle_partitions)

    async def accepted(self) -> dict[str, TaskAccepted]:
        return {each.fact.task_id: each.fact for each in await self.stored() if isinstance(each.fact, TaskAccepted)}


def make_settings(servers: str, **groups: Any) -> Settings:
    kafka = {"bootstrap_servers": servers, "lifecycle_partitions": 4, "request_timeout_seconds": 5}
    api = {"append_timeout_seconds": 1, "max_batch": 20, "read_timeout_seconds": 1, "max_body_bytes": 1_000_000}
    return Settings.model_validate({"namespace": fresh_namespace(), "kafka": kafka, "api": api, **groups})


@pytest.fixture
async def api(brokers_stack: RunningBrokers) -> AsyncIterator[Api]:
    settings = make_settings(brokers_stack.endpoints.kafka)
    await create_topic(settings.bootstrap_servers, settings.names.lifecycle_topic)
    async with composition.fact_log(settings, "api") as facts:
        await eventually(lambda: facts.available)
        held = Held(facts)
        serving = runner(build(settings, composition.registry(settings), held, SystemClock()))
        await serving.setup()
        site = web.TCPSite(serving, "127.0.0.1", 0)
        await site.start()
        host, port = serving.addresses[0][:2]
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
                url = f"http://{host}:{port}"
                yield Api(url, session, settings, facts, held, brokers_stack.stack.kafka)
        finally:
            await serving.cleanup()


async def test_a_task_is_accepted_into_the_real_diary(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="streamapp.api"):
        answer = await api.post(
            "/v1/tasks", {**GOOD, "taskId": "ä/b c"}, headers={"traceparent": TRACE, "X-Secret": "s"}
        )
    assert answer.status == 202
    found = AcceptedTask.model_validate(answer.body)
    assert (found.taskId, answer.headers["Location"]) == ("ä/b c", "/v1/tasks/%C3%A4%2Fb%20c")
    (stored,) = await api.stored()
    assert isinstance(stored.fact, TaskAccepted)
    assert (stored.key.decode(), stored.partition, stored.offset) == ("ä/b c", found.partition, found.offset)
    assert (stored.fact.type, stored.fact.payload, stored.fact.traceparent) == (GOOD["type"], GOOD["payload"], TRACE)
    assert (stored.fact.origin.kind, stored.fact.policy.timeout_seconds) == ("http", 30)
    lines = [record for record in caplog.records if record.message == "task accepted"]
    assert len(lines) == 1
    assert "example.org" not in str(vars(lines[0]))


async def test_202_comes_only_after_the_brokers_ack(api: Api) -> None:
    api.held.release.clear()
    asking = asyncio.create_task(api.post("/v1/tasks", {**GOOD, "taskId": "slow"}))
    await asyncio.wait_for(api.held.appended.wait(), 10)
    assert "slow" in await api.accepted(), "Kafka has it, and nobody was told"
    assert not asking.done()
    api.held.release.set()
    assert (await asking).status == 202


async def test_without_an_identity_every_submission_is_a_task_of_its_own(api: Api) -> None:
    first, second = [await api.post("/v1/tasks", GOOD) for _ in range(2)]
    assert first.body["taskId"] < second.body["taskId"], "UUIDv7 grows with time"
    assert len(await api.accepted()) == 2


async def test_the_same_key_is_the_same_task(api: Api) -> None:
    answers = [await api.post("/v1/tasks", GOOD, headers={"Idempotency-Key": "order:17"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert {answer.body["taskId"] for answer in answers} == {identity.task_id_of_key("order:17")}
    ids = {each.fact.id for each in await api.stored()}
    assert len(ids) == 1, "the same fact twice"


async def test_a_batch_is_accepted_in_order_in_one_window(api: Api) -> None:
    tasks = [{**GOOD, "payload": {"userId": str(number)}} for number in range(20)]
    answer = await api.post("/v1/tasks:batch", {"tasks": tasks}, headers={"Idempotency-Key": "b"})
    assert answer.status == 202
    items = BatchAnswer.model_validate(answer.body).items
    assert [item.taskId for item in items] == [identity.task_id_of_key(f"b:{number}") for number in range(20)]
    stored = await api.accepted()
    assert [stored[str(item.taskId)].payload["userId"] for item in items] == [str(number) for number in range(20)]


async def test_a_batch_with_some_invalid_tasks_is_207(api: Api) -> None:
    tasks = [{**GOOD, "taskId": "fine"}, {"type": "NONE", "payload": {}, "taskId": "bad"}, 17]
    answer = await api.post("/v1/tasks:batch", {"tasks": tasks})
    assert answer.status == 207
    BatchAnswer.model_validate(answer.body)
    assert [item["status"] for item in answer.body["items"]] == [202, 422, 422]
    assert [item.get("recorded") for item in answer.body["items"]] == [None, True, False]
    assert {each.fact.task_id: type(each.fact) for each in await api.stored()} == {
        "fine": TaskAccepted,
        "bad": TaskRejected,
    }


async def test_a_batch_of_invalid_tasks_is_422_with_every_item(api: Api) -> None:
    problem = (await api.post("/v1/tasks:batch", {"tasks": [1, 2]})).problem(422, "invalid-submission")
    assert problem.items is not None
    assert [item.status for item in problem.items] == [422, 422]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({}, "/tasks"),
        ({"tasks": []}, "/tasks"),
        ({"tasks": {}}, "/tasks"),
        ({"tasks": [1] * 21}, "/tasks"),
        ({"tasks": [1], "a/b": 1}, "/a~1b"),
    ],
)
async def test_a_batch_with_a_wrong_envelope_is_422(api: Api, body: Any, pointer: str) -> None:
    problem = (await api.post("/v1/tasks:batch", body)).problem(422, "invalid-submission")
    assert [error.pointer for error in problem.errors] == [pointer]
    assert await api.stored() == []


async def test_a_rejection_of_an_identifiable_task_is_recorded(api: Api) -> None:
    answer = await api.post("/v1/tasks", {"type": "USER_CREATED", "payload": {"email": 5}, "taskId": "t-1"})
    problem = answer.problem(422, "invalid-submission")
    assert [error.pointer for error in problem.errors] == ["/payload/email"]
    assert (problem.taskId, problem.recorded) == ("t-1", True)
    (stored,) = await api.stored()
    assert isinstance(stored.fact, TaskRejected)
    assert [error.pointer for error in stored.fact.errors] == ["/payload/email"]
    again = await api.post("/v1/tasks", {**GOOD, "taskId": "t-1"})
    assert again.status == 202, "a rejection does not spoil the id"


async def test_a_rejection_that_nobody_can_identify_is_not_recorded(api: Api) -> None:
    problem = (await api.post("/v1/tasks", {"type": "NONE", "payload": {}})).problem(422, "invalid-submission")
    assert (problem.taskId, problem.recorded) == (None, False)
    assert await api.stored() == []


async def test_a_payload_that_is_too_large_is_413_and_recorded(api: Api) -> None:
    body = {"type": "USER_CREATED", "payload": {"fill": "x" * 270_000}, "taskId": "big"}
    problem = (await api.post("/v1/tasks", body)).problem(413, "payload-too-large")
    assert ([error.pointer for error in problem.errors], problem.recorded) == (["/payload"], True)
    (stored,) = await api.stored()
    assert isinstance(stored.fact, TaskRejected)


async def test_every_other_refusal_is_a_problem_document(api: Api) -> None:
    (await api.post("/v1/tasks", b"{nope")).problem(400, "malformed-json")
    (await api.post("/v1/tasks", GOOD, headers={"Idempotency-Key": "a b"})).problem(400, "invalid-header")
    (await api.post("/v1/tasks", b" " * 1_000_001)).problem(413, "body-too-large")
    (await api.post("/v1/tasks", GOOD, headers={"Content-Type": "text/plain"})).problem(415, "unsupported-media-type")
    (await api.post("/v1/tasks", GOOD, headers={"Content-Encoding": "gzip"})).problem(415, "unsupported-media-type")
    (await api.ask("GET", "/nowhere")).problem(404, "not-found")
    wrong = await api.ask("DELETE", "/v1/tasks")
    wrong.problem(405, "method-not-allowed")
    assert wrong.headers["Allow"] == "POST"
    unknown = (await api.ask("GET", "/v1/tasks/some%2Fid")).problem(404, "not-found")
    assert unknown.links == {"diary": "http://127.0.0.1:6066/v1/tasks/some%2Fid"}
    assert await api.stored() == []


async def test_the_index_health_and_description_answer(api: Api) -> None:
    index = await api.ask("GET", "/")
    for name in ("live", "ready", "openapi"):
        assert (await api.ask("GET", index.body["links"][name])).status == 200
    assert (await api.ask("GET", "/openapi.json")).body["openapi"] == "3.1.0"


async def test_a_topic_that_does_not_exist_is_said_so(brokers_stack: RunningBrokers, api: Api) -> None:
    settings = make_settings(brokers_stack.endpoints.kafka)
    async with composition.fact_log(settings, "api") as facts:
        serving = runner(build(settings, composition.registry(settings), facts, SystemClock()))
        await serving.setup()
        await web.TCPSite(serving, "127.0.0.1", 0).start()
        host, port = serving.addresses[0][:2]
        other = Api(f"http://{host}:{port}", api.session, settings, facts, api.held, api.kafka)
        try:
            ready = await other.ask("GET", "/readyz")
            refused = (await other.post("/v1/tasks", GOOD)).problem(503, "refused")
        finally:
            await serving.cleanup()
    for text in (ready.body["reasons"][0], refused.detail):
        assert f"topic {settings.names.lifecycle_topic} does not exist; run `streamapp setup`" in text
    assert ready.status == 503


async def test_kafka_paused_is_503_unknown_and_the_same_key_is_the_same_task_afterwards(api: Api) -> None:
    key = {"Idempotency-Key": "while-paused"}
    with paused(api.kafka):
        answer = await asyncio.wait_for(api.post("/v1/tasks", GOOD, headers=key), 5)
        problem = answer.problem(503, "outcome-unknown")
        assert (problem.outcome, problem.taskId) == ("unknown", identity.task_id_of_key("while-paused"))
        assert answer.headers["Retry-After"] == "2"
        assert (await api.ask("GET", "/readyz")).status == 503
        assert (await api.ask("GET", "/livez")).status == 200
    await eventually(lambda: api.facts.available)
    again = await api.post("/v1/tasks", GOOD, headers=key)
    assert (again.status, again.body["taskId"]) == (202, problem.taskId)
    assert len({each.fact.id for each in await api.stored()}) == 1


async def test_kafka_known_to_be_down_is_503_refused_and_nothing_is_recorded_afterwards(api: Api) -> None:
    invalid = {"type": "NONE", "payload": {}, "taskId": "invalid"}
    async with killed(api.kafka):
        await eventually(lambda: not api.facts.available)
        answer = await asyncio.wait_for(api.post("/v1/tasks", {**GOOD, "taskId": "refused"}), 5)
        problem = answer.problem(503, "refused")
        assert (problem.outcome, problem.taskId, answer.headers["Retry-After"]) == ("refused", "refused", "2")
        batch = (await api.post("/v1/tasks:batch", {"tasks": [GOOD, invalid]})).problem(503, "refused")
        assert batch.items is not None
        assert [item.status for item in batch.items] == [503, 422]
        rejected = (await api.post("/v1/tasks", invalid)).problem(422, "invalid-submission")
        assert rejected.recorded is False
        assert (await api.ask("GET", "/readyz")).status == 503
    await eventually(lambda: api.facts.available)
    assert (await api.post("/v1/tasks", {**GOOD, "taskId": "later"})).status == 202
    assert [each.fact.task_id for each in await api.stored()] == ["later"]


async def _conversation(api: Api, *pieces: bytes, pause_seconds: float | None = None) -> bytes:
    """What the server says to these bytes, with pauses between them until it closes; empty if it closes at once."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_seconds or 0)
        return await asyncio.wait_for(reader.read(65_536 if pause_seconds is None else -1), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


HEAD = b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def test_a_body_that_never_comes_is_408(api: Api) -> None:
    answer = await _conversation(api, HEAD + b"Content-Length: 100\r\n\r\n", b"{")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/problems/request-timeout" in answer


async def test_a_chunked_body_of_64_mib_is_413(api: Api) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = await _conversation(api, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 3)
    assert answer.startswith(b"HTTP/1.1 413")
    sending = _conversation(api, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 64, b"0\r\n\r\n")
    assert (await sending)[:12] in (b"", b"HTTP/1.1 413")
    assert (await api.post("/v1/tasks", GOOD)).status == 202


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b'5\r\n{"note":"secret"}\r\n0\r\n\r\n'),
        (HEAD + b"Idempotency-Key: secret\r\x0b\r\nContent-Length: 2\r\n\r\n{}",),
        (HEAD + b"Content-Length: -1\r\n\r\n",),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",),
        (HEAD + b"Idempotency-Key: a\x00b\r\nContent-Length: 2\r\n\r\n{}",),
        (b"POST /v1/tasks HTTP/9.9\r\n\r\n",),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",),
    ],
)
async def test_what_is_not_http_is_a_problem_too_and_the_server_goes_on(
    api: Api, pieces: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the answer nor the log quotes what was sent: a body with broken chunks would lie there in clear."""
    answer = await _conversation(api, *pieces)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer[:200]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert ProblemDocument.model_validate_json(body).type == "/problems/malformed-request"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info] == []
    assert "secret" not in caplog.text
    assert b"secret" not in answer
    assert (await api.post("/v1/tasks", GOOD)).status == 202


@pytest.mark.parametrize(
    "rest", [b"zz\r\n{}", b"-5\r\n{}", b"1\r\n{}\r\n0\r\n\r\n", b"5;\n{}"], ids=["size", "minus", "short", "line feed"]
)
async def test_chunks_that_break_off_are_refused_at_once(
    api: Api, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the request has come with them, is about to be read, or is being read: not when its time has passed."""
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for pause in (0.0, 0.0001, 0.0005, 0.001, 0.002, 0.2):
        answer = await asyncio.wait_for(_conversation(api, head, rest, pause_seconds=pause), 5)
        assert answer[9:12] == b"400", (pause, answer[:200])
        assert answer.count(b"HTTP/1") == 1, pause
        problem = ProblemDocument.model_validate_json(answer.partition(b"\r\n\r\n")[2])
        assert problem.type == "/problems/malformed-request"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info] == []
    assert (await api.post("/v1/tasks", GOOD)).status == 202


async def test_chunks_that_break_off_behind_a_refusal_or_another_request_end_the_connection(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """What is already answered, or is answered first, is answered; nothing waits for the time of a body."""
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    refused = HEAD.replace(b"application/json", b"text/plain") + chunked
    good = json.dumps(GOOD).encode()
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(good) + good
    for pieces, first in (((refused, b"zz\r\n{}"), b"415"), ((whole + HEAD + chunked, b"zz\r\n{}"), b"202")):
        answer = await asyncio.wait_for(_conversation(api, *pieces, pause_seconds=0.1), 5)
        assert answer[9:12] == first, answer
        assert answer.count(b" 400 ") == (first == b"202"), answer
    assert [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info] == []


NASTY = [
    b"[" * 20_000,
    b'{"type":"USER_CREATED","payload":{"n":1e400}}',
    b'{"type":"USER_CREATED","payload":{"n":NaN}}',
    b'{"type":"USER_CREATED","payload":{"s":"\\ud800"}}',
    b'{"type":"USER_CREATED","payload":{"n":' + b"9" * 1_000_000 + b"}}",
    b'{"type":"USER_CREATED","payload":{},"taskId":"a\\u0000b"}',
    b'{"type":"USER_CREATED","payload":{},"taskId":"a\\nb"}',
    b'{"type":"USER_CREATED","payload":{},"taskId":"\xff"}',
    b'{"type":"USER_CREATED","payload":' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}",
]


@pytest.mark.parametrize("body", NASTY)
async def test_nasty_bodies_are_4xx(api: Api, body: bytes) -> None:
    answer = await api.post("/v1/tasks", body)
    assert 400 <= answer.status < 500
    assert await api.stored() == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(["type", "payload", "taskId", "tasks", "more"])
almost = st.dictionaries(fields, json_values | st.just("USER_CREATED") | st.just({}), max_size=5)
likely = st.fixed_dictionaries(
    {"type": st.just("USER_CREATED"), "payload": st.dictionaries(st.text(max_size=10), json_values, max_size=3)},
    optional={"taskId": st.text(min_size=1, max_size=20)},
)
bodies = st.binary(max_size=200) | (json_values | almost | likely).map(
    lambda value: json.dumps(value).encode("utf-8", "replace")
)
headers = st.dictionaries(
    st.sampled_from(["Idempotency-Key", "traceparent", "Content-Type", "Content-Encoding", "X-Other"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=140),
    max_size=3,
)


@given(body=bodies, more=headers, path=st.sampled_from(["/v1/tasks", "/v1/tasks:batch"]))
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
async def test_garbage_is_answered_and_what_is_accepted_is_recorded(
    api: Api, body: bytes, more: dict[str, str], path: str
) -> None:
    answer = await api.post(path, body, headers=more)
    event(f"{answer.status}")
    assert answer.status in {202, 207, 400, 413, 415, 422}
    if answer.status == 202 and path == "/v1/tasks":
        assert answer.body["taskId"] in await api.accepted()
    if answer.status >= 400:
        ProblemDocument.model_validate(answer.body)


async def test_the_process_ends_with_0_on_sigterm_after_the_request_in_flight(api: Api) -> None:
    port = _free_port()
    environment = {
        **os.environ,
        "STREAMAPP_KAFKA__BOOTSTRAP_SERVERS": api.settings.bootstrap_servers,
        "STREAMAPP_NAMESPACE": api.settings.namespace,
        "STREAMAPP_API__PORT": str(port),
        "STREAMAPP_LOG__FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamapp.api", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        line = json.loads(await asyncio.wait_for(process.stderr.readline(), 30))
        assert (line["message"], line["role"], line["port"], line["ready"]) == ("api listens", "api", port, True)
        other = Api(f"http://127.0.0.1:{port}", api.session, api.settings, api.facts, api.held, api.kafka)
        assert (await other.post("/v1/tasks", {**GOOD, "taskId": "before"})).status == 202
        body = json.dumps({**GOOD, "taskId": "in-flight"}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
        process.send_signal(signal.SIGTERM)
        assert b"api stops" in await asyncio.wait_for(_line_with(process.stderr, b"api stops"), 10)
        await _until_nobody_listens(port)
        writer.write(body)
        assert (await asyncio.wait_for(reader.read(65_536), 10)).startswith(b"HTTP/1.1 202")
        writer.close()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        rest = (await process.stderr.read()).decode()
        assert "api stopped" in rest
        assert "example.org" not in rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert {"before", "in-flight"} <= set(await api.accepted())


async def _line_with(lines: asyncio.StreamReader, text: bytes) -> bytes:
    line = await lines.readline()
    while line and text not in line:
        line = await lines.readline()
    return line


async def _until_nobody_listens(port: int) -> None:
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_an_address_that_is_taken_is_a_clear_error(api: Api) -> None:
    port = api.url.rsplit(":", 1)[1]
    environment = {
        **os.environ,
        "STREAMAPP_KAFKA__BOOTSTRAP_SERVERS": api.settings.bootstrap_servers,
        "STREAMAPP_API__PORT": port,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamapp.api", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in complaint.decode()
