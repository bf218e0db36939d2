"""One trace for each task, through every wrapper, with OpenTelemetry's own SDK and its spans kept in memory."""

import asyncio
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from streamapp import composition
from streamapp.domain.errors import ConfigurationError, OutcomeUnknown, RetryableFailure, StreamappError, Unavailable
from streamapp.domain.facts import AnyFact, Origin, TaskAccepted
from streamapp.domain.policy import Policy
from streamapp.handlers import Context as HandlerContext
from streamapp.producer import Position
from streamapp.producer.traced import TracedFactLog, traced
from streamapp.queue.traced import TracedPublisher
from streamapp.queue.traced import traced as traced_publisher
from streamapp.settings import Settings, TracingSettings
from streamapp.tracing import OFF, Kind, sdk, tracing
from streamapp.tracing.context import Context, dispatch_span_id, parse, trace_id_of
from streamapp.wire.jobs import Job
from streamapp.wire.scribe import Scribe
from streamapp.worker.traced import traced_caller, traced_pipeline
from streamapp.worker.worker import Worker
from tests.support.spans import Spans, known, links, parent, place, trace
from tests.unit.test_worker_pipeline import Bench

SCRIBE = Scribe("api", "one", lambda: "2026-01-01T00:00:00.000Z")
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def accepted(task_id: str, traceparent: str | None = None) -> TaskAccepted:
    return SCRIBE.accepted(task_id, "ANY", {}, Policy(), Origin("http"), traceparent)


class Diary:
    """A fact log in memory; `answer` is what it says of every fact."""

    available = True
    trouble = None

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.facts: list[AnyFact] = []

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        self.facts += facts
        return [self.answer or Position("t", 1, number, 5) for number, _ in enumerate(facts)]

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        self.facts += facts
        return [Position("t", 1, number, 5) for number, _ in enumerate(facts)]


class Queue:
    """A publisher that keeps jobs."""

    connected = True

    def __init__(self, answer: StreamappError | None = None) -> None:
        self.answer = answer
        self.jobs: list[Job] = []

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def publish_all(self, window: Sequence[tuple[str, Job]]) -> list[StreamappError | None]:
        self.jobs += [job for _, job in window]
        return [self.answer for _ in window]


def _job(attempt: int, traceparent: str | None = None) -> Job:
    return Job("t1", attempt, "ANY", {}, 1, traceparent)


@given(st.text(max_size=40), st.integers(1, 9))
def test_ids_that_follow_from_a_task_are_valid_and_its_own(task_id: str, attempt: int) -> None:
    context = Context(trace_id_of(task_id), dispatch_span_id(task_id, attempt))
    assert parse(str(context)) == context
    assert dispatch_span_id(task_id, attempt) != dispatch_span_id(task_id, attempt + 1)
    assert trace_id_of(task_id) != trace_id_of(task_id + "x")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00-trace",
        CALLER.upper(),
        CALLER + "-00",
        "ff" + CALLER[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_what_is_no_traceparent_is_none(text: str | None) -> None:
    assert parse(text) is None


async def test_an_accepted_task_begins_its_own_trace_whose_id_anybody_can_tell() -> None:
    spans, diary = Spans(), Diary()
    await TracedFactLog(diary, spans.tracing).append([accepted("t1")], timeout_seconds=1)
    (span,) = spans.all
    assert (span.name, span.kind, span.parent) == ("TaskAccepted", SpanKind.PRODUCER, None)
    assert trace(span) == trace_id_of("t1")
    assert diary.facts[0].traceparent == place(span)
    assert known(span)["streamapp.task.id"] == "t1"
    assert known(span)["messaging.kafka.offset"] == 0


async def test_a_callers_trace_is_continued() -> None:
    spans, diary = Spans(), Diary()
    await TracedFactLog(diary, spans.tracing).append([accepted("t1", CALLER)], timeout_seconds=1)
    (span,) = spans.all
    assert parent(span) == CALLER
    assert diary.facts[0].traceparent == place(span) != CALLER


async def test_a_callers_wish_not_to_be_traced_is_followed_through() -> None:
    spans, diary = Spans(), Diary()
    await TracedFactLog(diary, spans.tracing).append([accepted("t1", UNSAMPLED)], timeout_seconds=1)
    assert not spans.all
    assert diary.facts[0].traceparent is not None
    assert diary.facts[0].traceparent.endswith("-00")
    await TracedPublisher(Queue(), spans.tracing).publish_all([("q", _job(1, diary.facts[0].traceparent))])
    assert not spans.all


async def test_tasks_that_came_together_have_a_trace_each_linked_to_the_one_they_came_with() -> None:
    spans, diary = Spans(), Diary()
    log = TracedFactLog(diary, spans.tracing)
    await log.append([accepted("t1", CALLER), accepted("t2", CALLER)], timeout_seconds=1)
    assert [trace(span) for span in spans.all] == [trace_id_of("t1"), trace_id_of("t2")]
    caller = parse(CALLER)
    assert caller is not None
    assert [links(span) for span in spans.all] == [[(caller.trace_id, caller.span_id)]] * 2
    assert [span.parent for span in spans.all] == [None, None]


async def test_what_kafka_did_not_take_is_a_span_that_failed() -> None:
    spans = Spans()
    log = TracedFactLog(Diary(OutcomeUnknown("no ack")), spans.tracing)
    await log.append([accepted("t1")], timeout_seconds=1)
    (span,) = spans.all
    assert span.status.status_code is StatusCode.ERROR
    assert known(span)["error.type"] == "OutcomeUnknown"


async def test_later_facts_are_told_where_they_belong_and_stay_as_they_are() -> None:
    spans, diary = Spans(), Diary()
    fact = SCRIBE.dispatched("t1", 2, "q", CALLER)
    await TracedFactLog(diary, spans.tracing).append_durably([fact])
    assert diary.facts == [fact]
    (span,) = spans.all
    assert (span.name, parent(span)) == ("TaskDispatched", CALLER)
    assert known(span)["streamapp.task.attempt"] == 2


async def test_a_dispatch_is_the_same_span_for_ever_and_linked_to_the_attempt_before() -> None:
    spans, queue = Spans(), Queue()
    publisher = TracedPublisher(queue, spans.tracing)
    for attempt in (1, 2):
        assert await publisher.publish_all([("q", _job(attempt, CALLER))]) == [None]
    first, second = spans.all
    assert [span.name for span in spans.all] == ["dispatch", "dispatch"]
    assert [parent(first), parent(second)] == [CALLER, CALLER]
    assert [job.traceparent for job in queue.jobs] == [place(first), place(second)]
    assert place(first)[36:52] == f"{dispatch_span_id('t1', 1):016x}"
    assert (links(first), links(second)) == ([], [(trace(first), dispatch_span_id("t1", 1))])


async def test_a_task_that_was_accepted_without_a_trace_has_one_all_the_same() -> None:
    spans, queue = Spans(), Queue()
    publisher = TracedPublisher(queue, spans.tracing)
    await publisher.publish_all([("q", _job(1)), ("q", _job(2))])
    assert [trace(span) for span in spans.all] == [trace_id_of("t1")] * 2


async def test_a_publish_that_is_not_confirmed_leaves_no_span_to_be_told_twice() -> None:
    spans, queue = Spans(), Queue(Unavailable("away"))
    publisher = TracedPublisher(queue, spans.tracing)
    assert await publisher.publish_all([("q", _job(1))]) == [queue.answer]
    assert not spans.all
    queue.answer = None
    assert await publisher.publish_all([("q", _job(1))]) == [None]
    assert spans.names == ["dispatch"]
    assert len({job.traceparent for job in queue.jobs}) == 1, "whichever copy is run, it follows from the same dispatch"


class TracedBench(Bench):
    """A worker that is traced."""

    def __init__(self, spans: Spans) -> None:
        super().__init__()
        pipeline: Any = self.pipeline
        log = TracedFactLog(self.log, spans.tracing)  # type: ignore[arg-type]
        traced_one = type(pipeline)(
            self.guard,
            log,
            traced_caller(pipeline.caller, spans.tracing),
            self.approach,
            self.slots,
            pipeline.scribe,
            pipeline.patience,
            self.clock,
            pipeline.worker,
            pipeline.retention_seconds,
        )
        self.worker = Worker(traced_pipeline(traced_one, spans.tracing), self.clock, self.worker._log)


async def test_a_run_is_a_span_with_its_handler_and_its_facts_inside() -> None:
    spans, seen = Spans(), list[str]()
    bench = TracedBench(spans)

    async def look(params: Any, context: HandlerContext) -> str:
        current = get_current_span().get_span_context()
        seen.append(f"{current.span_id:016x}")
        return "done"

    bench.handler = look
    bench.deliver("t1")
    await bench.idle()
    assert spans.names == ["TaskExecutionStarted", "handle", "TaskExecutionCompleted", "execute"]
    execute, handle = spans.one("execute"), spans.one("handle")
    assert execute.kind is SpanKind.CONSUMER
    assert {parent(span) for span in spans.all} == {None, place(execute)}
    assert {trace(span) for span in spans.all} == {trace_id_of("t1")}
    assert seen == [place(handle)[36:52]], "what a library does inside the handler is part of its span"
    assert [fact.traceparent for fact in bench.log.facts] == [place(execute)] * 2
    assert known(execute)["streamapp.worker.id"] == "w"
    assert known(execute)["streamapp.guard.claim"] == 1
    assert execute.status.status_code is StatusCode.UNSET


async def test_a_second_attempt_is_linked_to_the_first_and_failure_says_its_type_only() -> None:
    spans = Spans()
    bench = TracedBench(spans)

    async def fail(params: Any, context: HandlerContext) -> None:
        raise RetryableFailure("secret of the payload", error_type="Nope")

    bench.handler = fail
    bench.deliver("t1", attempt=2)
    await bench.idle()
    execute = spans.one("execute")
    assert links(execute) == [(trace_id_of("t1"), dispatch_span_id("t1", 1))]
    for span in (execute, spans.one("handle")):
        assert span.status.status_code is StatusCode.ERROR
        assert known(span)["error.type"] == "Nope"
    assert all("secret" not in span.to_json() for span in spans.all)


async def test_a_run_that_is_handed_back_ends_as_what_it_is() -> None:
    spans = Spans()
    bench = TracedBench(spans)

    async def hold(params: Any, context: HandlerContext) -> None:
        await bench.log.up.wait()
        await bench.clock.sleep(0)
        raise AssertionError("it should have been cancelled")

    bench.log.up.clear()
    bench.handler = hold
    delivery = bench.deliver("t1")
    await bench.until(lambda: bench.log.waiting)
    await bench.stop()
    assert delivery.settled == ["requeue"]
    execute = spans.one("execute")
    assert known(execute)["error.type"] == "CancelledError"


def test_nothing_is_wrapped_while_nothing_is_traced() -> None:
    log, queue, bench = Diary(), Queue(), Bench()
    assert traced(log, OFF) is log
    assert traced_publisher(queue, OFF) is queue
    assert traced_pipeline(bench.pipeline, OFF) is bench.pipeline
    assert traced_caller(bench.pipeline.caller, OFF) is bench.pipeline.caller


def test_asking_what_is_off_for_a_span_is_a_fault() -> None:
    with pytest.raises(RuntimeError, match="nothing is traced"):
        OFF.begin("x", Kind.INTERNAL)


def test_off_is_the_default_and_knows_nothing_of_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "streamapp.tracing.sdk"))]:
        monkeypatch.setitem(sys.modules, name, None)
    assert composition.tracing(Settings(), "worker") is OFF


def test_without_the_extra_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "streamapp.tracing.sdk"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    settings = Settings(tracing=TracingSettings(endpoint="http://127.0.0.1:4318"))
    with pytest.raises(ConfigurationError, match=r"pip install 'streamapp\[tracing\]'"):
        composition.tracing(settings, "worker")


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", ""])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="STREAMAPP_TRACING__ENDPOINT must be the URL of a collector"):
        tracing(endpoint, sample_ratio=1, role="api", instance="one", namespace="", version="1")


async def test_a_collector_that_is_away_does_not_keep_a_process_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "EXPORT_SECONDS", 1.0)
    monkeypatch.setattr(sdk, "STOP_SECONDS", 0.2)
    await asyncio.to_thread(int)  # the pool's thread stays
    before = set(threading.enumerate())
    made = tracing("http://127.0.0.1:1", sample_ratio=1, role="api", instance="one", namespace="", version="1")
    await TracedFactLog(Diary(), made).append([accepted("t1")], timeout_seconds=1)
    await made.stop()
    # They roll dice between their tries, which no test that draws its own may see.
    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive(), thread


async def test_a_share_of_the_traces_is_kept_and_every_process_keeps_the_same() -> None:
    one, other = Spans(0.5), Spans(0.5)
    tasks = [f"t{number}" for number in range(400)]
    for spans in (one, other):
        log = TracedFactLog(Diary(), spans.tracing)
        for task_id in tasks:
            await log.append([accepted(task_id)], timeout_seconds=1)
    assert 120 < len(one.all) < 280
    assert [trace(span) for span in one.all] == [trace(span) for span in other.all]
