"""What the doors count, as far as no broker is needed for it: facts, publishes, the guard's calls, folds, vitals."""

import asyncio
from typing import Any

import aiohttp
import pytest

from streamapp.domain.errors import ConfigurationError, OutcomeUnknown, Refused, Unavailable
from streamapp.domain.facts import FACTS
from streamapp.guard import Guard
from streamapp.metrics import Metrics
from streamapp.metrics.facts import FactMetrics
from streamapp.metrics.guard import GuardMetrics
from streamapp.metrics.ingest import IngestMetrics
from streamapp.metrics.publishing import PublishMetrics
from streamapp.metrics.stream import StreamMetrics
from streamapp.metrics.vitals import Vitals
from streamapp.producer import Position
from streamapp.queue import JobPublisher, Unroutable
from streamapp.settings import WorkerSettings
from streamapp.stream.batch import Record, RecordBatch
from streamapp.stream.folding import counted
from streamapp.wire.jobs import Job
from streamapp.wire.names import Names
from streamapp.worker.metrics_port import serving
from tables.sources import Counts
from tests.support.metrics import read, scrape
from tests.support.stack import free_port
from tests.support.traffic import Traffic

NOBODY = "127.0.0.1:1"
"""Port 1 is nobody's: a connection is refused at once."""


def test_each_fact_of_a_window_counts_by_what_became_of_it() -> None:
    metrics = Metrics()
    traffic = Traffic(0, "m")
    facts = [traffic.accepted() for _ in range(4)]
    results = [Position("t", 0, 1, 2), Refused("down"), OutcomeUnknown("no ack"), Position("t", 0, 2, 2)]
    FactMetrics(metrics).window(facts, results, 0.25)
    told = scrape(metrics)
    assert told.value("streamapp_facts_appended_total", fact="TaskAccepted") == 2
    assert told.value("streamapp_facts_not_appended_total", outcome="refused") == 1
    assert told.value("streamapp_facts_not_appended_total", outcome="unknown") == 1
    assert told.value("streamapp_fact_append_duration_seconds_count") == 1
    assert told.value("streamapp_fact_append_duration_seconds_sum") == 0.25


def test_facts_appended_durably_count_by_name_and_a_window_of_none_is_none() -> None:
    metrics = Metrics()
    numbers, facts = FactMetrics(metrics), Traffic(0, "m").finished(3)
    numbers.durable(facts, 0.5)
    numbers.durable([], 9.0)
    told = scrape(metrics)
    assert told.value("streamapp_facts_appended_total", fact="TaskExecutionStarted") == 3
    assert told.total("streamapp_facts_appended_total") == len(facts)
    assert told.value("streamapp_fact_append_duration_seconds_count") == 1
    assert {labels["fact"] for labels in told.having("streamapp_facts_appended_total")} == {fact.NAME for fact in FACTS}


def test_each_job_of_a_window_counts_by_what_became_of_it() -> None:
    metrics = Metrics()
    answers = [None, Unroutable("gone"), OutcomeUnknown("silent"), Unavailable("away"), None, Unavailable("away")]
    numbers = PublishMetrics(metrics)
    numbers.window(["q", "q", "q", "q", "special", "q"], answers, 0.25)
    numbers.window(["q"], [Unavailable("away")], 9.0)
    told = scrape(metrics)
    assert told.value("streamapp_dispatch_jobs_published_total", queue="q") == 1
    assert told.value("streamapp_dispatch_jobs_published_total", queue="special") == 1
    assert told.value("streamapp_dispatch_confirm_duration_seconds_count") == 1, "nothing was confirmed the second time"
    assert told.value("streamapp_dispatch_confirm_duration_seconds_sum") == 0.25
    failures = {reason: told.value("streamapp_dispatch_publish_failures_total", reason=reason) for reason in REASONS}
    assert failures == {"unroutable": 1, "unknown": 1, "unavailable": 3}


REASONS = ("unroutable", "unknown", "unavailable")


async def test_a_publisher_without_a_connection_counts_what_was_not_handed_over() -> None:
    metrics = Metrics()
    publisher = JobPublisher(f"amqp://{NOBODY}/", Names(""), ["q"], metrics=PublishMetrics(metrics))
    with pytest.raises(Unavailable):
        await publisher.publish("q", Job("t", 1, "ANY", {}, 1.0))
    assert scrape(metrics).value("streamapp_dispatch_publish_failures_total", reason="unavailable") == 1


async def test_a_guard_without_redis_counts_calls_without_an_answer() -> None:
    metrics = Metrics()
    guard = Guard(
        f"redis://{NOBODY}/0",
        prefix="t:",
        worker="w",
        lease_seconds=1,
        retention_seconds=10,
        max_deaths=3,
        finished_jobs_kept=5,
        timeout_seconds=1,
        metrics=GuardMetrics(metrics),
    )
    with pytest.raises(Unavailable):
        await guard.claim("t", 1)
    assert not guard.answering
    told = scrape(metrics)
    await guard.stop()
    assert told.value("streamapp_guard_calls_total", script="claim") == 1
    assert told.value("streamapp_guard_unavailable_total") == 1
    assert told.value("streamapp_guard_round_trip_seconds_count") == 0
    assert told.value("streamapp_guard_ready") == 1, "nobody has said that it has forgotten"


async def test_a_batch_counts_once_it_is_folded() -> None:
    metrics, folded = Metrics(), list[int]()
    stream = StreamMetrics(metrics)

    async def fold(batch: RecordBatch) -> None:
        if not folded:
            folded.append(0)
            raise OSError("Kafka is away")
        folded.append(len(batch.records))

    handle = counted(fold, stream.agent("diary"))
    batch = RecordBatch("t", 0, 0, 3, [Record(offset, b"k", b"v", 1) for offset in range(3)])
    with pytest.raises(OSError, match="away"):
        await handle(batch)
    await handle(batch)
    told = scrape(metrics)
    assert told.value("streamapp_stream_records_folded_total", agent="diary") == 3
    assert told.value("streamapp_stream_fold_duration_seconds_count", agent="diary") == 1


def test_a_stream_tells_what_it_holds() -> None:
    metrics = Metrics()
    StreamMetrics(metrics).watch(lambda: True, lambda: {"tasks": 8}, lambda: 1)
    told = scrape(metrics)
    assert told.value("streamapp_stream_settled") == 1
    assert told.value("streamapp_stream_partitions_held", table="tasks") == 8
    assert told.value("streamapp_stream_partitions_standing_still") == 1


def test_events_are_told_as_the_table_has_them() -> None:
    metrics = Metrics()
    IngestMetrics(metrics, lambda: {2: Counts(9, 5, 3, 1)}, lambda: {2: 4})
    told = scrape(metrics)
    assert told.value("streamapp_ingest_events_total", outcome="accepted", partition="2") == 5
    assert told.value("streamapp_ingest_events_total", outcome="rejected", partition="2") == 3
    assert told.value("streamapp_ingest_events_total", outcome="discarded", partition="2") == 1
    assert told.value("streamapp_ingest_lag_events", partition="2") == 4


class SlowLoop:
    """A clock whose every sleep takes `late` seconds longer than asked."""

    def __init__(self, late: float) -> None:
        self.late = late
        self.now = 100.0
        self.slept = 0

    def now_ms(self) -> int:
        return int(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if self.slept == 3:
            await asyncio.Event().wait()
        self.slept += 1
        self.now += seconds + self.late


async def test_a_loop_that_is_late_is_told_by_how_much() -> None:
    clock = SlowLoop(0.04)
    vitals = Vitals("worker", clock=clock)
    await vitals.start()
    while clock.slept < 3:
        await asyncio.sleep(0)
    await vitals.stop()
    told = scrape(vitals.metrics)
    assert told.value("streamapp_event_loop_lag_seconds_count") == 3
    assert told.value("streamapp_event_loop_lag_seconds_bucket", le="0.02") == 0
    assert told.value("streamapp_event_loop_lag_seconds_bucket", le="0.05") == 3
    assert told.value("streamapp_uptime_seconds") == pytest.approx(3 * 0.54)


def test_a_connection_of_several_is_up_while_all_are() -> None:
    vitals, up = Vitals("all"), [True, True]
    vitals.connection("kafka", lambda: up[0])
    vitals.connection("kafka", lambda: up[1])
    vitals.connection("rabbitmq", lambda: False)
    assert scrape(vitals.metrics).value("streamapp_connection_up", broker="kafka") == 1
    up[1] = False
    told = scrape(vitals.metrics)
    assert told.value("streamapp_connection_up", broker="kafka") == 0
    assert told.value("streamapp_connection_up", broker="rabbitmq") == 0
    assert [labels["role"] for labels in told.having("streamapp_build_info")] == ["all"]


async def _get(port: int) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
        return response.status, await response.text()


async def test_a_worker_has_a_port_only_if_it_is_given_one() -> None:
    metrics, port = Metrics(), free_port()
    async with serving(WorkerSettings(), metrics):
        with pytest.raises(aiohttp.ClientConnectionError):
            await _get(port)
    async with serving(WorkerSettings(metrics_port=port), metrics):
        status, text = await _get(port)
        assert status == 200
        assert read(text).types["streamapp_metrics_read_failures"] == "counter"
    with pytest.raises(aiohttp.ClientConnectionError):
        await _get(port)


async def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    settings: Any = WorkerSettings(metrics_port=free_port())
    async with serving(settings, Metrics()):
        with pytest.raises(ConfigurationError, match="STREAMAPP_WORKER__METRICS_PORT"):
            async with serving(settings, Metrics()):
                pytest.fail("two listen on one port")
