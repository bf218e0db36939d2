"""What a worker counts, with everything around it faked: deliveries, claims, runs, outcomes, settlements."""

import asyncio
from typing import Any, get_args

import pytest

from streamapp.domain.errors import PermanentFailure, RetryableFailure
from streamapp.guard import Answer
from streamapp.handlers import Context
from streamapp.metrics import Metrics
from streamapp.metrics.worker import ANSWERS, OTHER, WorkerMetrics
from tests.support.metrics import scrape
from tests.unit.test_worker_pipeline import Bench, FakeDelivery


async def test_a_good_run_is_counted_once_everywhere() -> None:
    bench = Bench()
    bench.deliver()
    await bench.idle()
    told = scrape(bench.metrics)
    assert told.value("streamapp_worker_deliveries_total", redelivered="false") == 1
    assert told.value("streamapp_worker_claims_total", answer="claimed") == 1
    assert told.value("streamapp_worker_handler_duration_seconds_count", type="ANY") == 1
    assert told.value("streamapp_worker_outcomes_total", type="ANY", outcome="completed") == 1
    assert told.value("streamapp_worker_settlements_total", how="ack") == 1
    assert told.total("streamapp_worker_outcomes_total") == 1
    assert told.total("streamapp_worker_settlements_total") == 1
    assert told.total("streamapp_worker_claims_total") == 1


@pytest.mark.parametrize(
    ("error", "outcome"), [(RetryableFailure("no"), "retryable"), (PermanentFailure("no"), "not_retryable")]
)
async def test_failures_are_counted_by_whether_they_may_be_tried_again(error: Exception, outcome: str) -> None:
    bench = Bench()

    async def fail(params: Any, context: Context) -> None:
        raise error

    bench.handler = fail
    bench.deliver()
    await bench.idle()
    told = scrape(bench.metrics)
    assert told.value("streamapp_worker_outcomes_total", type="ANY", outcome=outcome) == 1
    assert told.total("streamapp_worker_outcomes_total") == 1


async def test_an_outcome_that_is_known_is_no_outcome_of_this_worker() -> None:
    bench = Bench()
    bench.deliver()
    await bench.idle()
    bench.deliver(redelivered=True)
    await bench.idle()
    told = scrape(bench.metrics)
    assert told.value("streamapp_worker_deliveries_total", redelivered="true") == 1
    assert told.value("streamapp_worker_claims_total", answer="known") == 1
    assert told.total("streamapp_worker_outcomes_total") == 1
    assert told.value("streamapp_worker_settlements_total", how="ack") == 2


async def test_types_that_no_registry_knows_are_one() -> None:
    bench = Bench()
    for number in range(20):
        bench.deliver(f"t{number}", type=f"STRANGE-{number}")
    await bench.idle()
    told = scrape(bench.metrics)
    assert told.value("streamapp_worker_outcomes_total", type=OTHER, outcome="completed") == 20
    assert {labels["type"] for labels in told.having("streamapp_worker_outcomes_total")} == {"ANY", OTHER}
    assert {labels["type"] for labels in told.having("streamapp_worker_handler_duration_seconds_count")} == {
        "ANY",
        OTHER,
    }


async def test_what_is_no_job_is_a_dead_letter() -> None:
    bench = Bench()
    bench.worker.on_delivery(FakeDelivery(b"{}", bench.events))
    await bench.stop()
    told = scrape(bench.metrics)
    assert told.value("streamapp_worker_settlements_total", how="dead_letter") == 1
    assert told.total("streamapp_worker_deliveries_total") == 1
    assert told.total("streamapp_worker_claims_total") == 0


async def test_a_settlement_that_nobody_heard_is_lost() -> None:
    bench = Bench()
    bench.deliver(alive=False)
    await bench.idle()
    told = scrape(bench.metrics)
    assert told.value("streamapp_worker_settlements_total", how="lost") == 1
    assert told.value("streamapp_worker_settlements_total", how="ack") == 0


async def test_what_is_handed_back_is_requeued_and_has_no_outcome() -> None:
    bench = Bench(concurrency=1)
    hold = asyncio.Event()

    async def wait(params: Any, context: Context) -> None:
        await hold.wait()

    bench.handler = wait
    bench.deliver("one")
    bench.deliver("two")
    await bench.until(lambda: bench.running)
    await bench.stop()
    told = scrape(bench.metrics)
    assert told.value("streamapp_worker_settlements_total", how="requeue") == 2
    assert told.total("streamapp_worker_outcomes_total") == 0
    assert told.total("streamapp_worker_handler_duration_seconds_count") == 0


def test_every_answer_of_the_guard_has_a_counter() -> None:
    assert {answer.__name__ for answer in get_args(Answer)} == set(ANSWERS)


def test_what_runs_and_what_is_held_is_asked_for() -> None:
    metrics, running = Metrics(), [2]
    WorkerMetrics(metrics).watch(lambda: running[0], lambda: 7, 5)
    told = scrape(metrics)
    assert told.value("streamapp_worker_handlers_running") == 2
    assert told.value("streamapp_worker_jobs_held") == 7
    assert told.value("streamapp_worker_concurrency") == 5
    running[0] = 0
    assert scrape(metrics).value("streamapp_worker_handlers_running") == 0
