"""The registry: what is counted comes out as Prometheus reads it, and one reading that fails hides nothing else."""

from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streamapp.metrics import Buckets, Count, Family, Metrics, Sample, Spread
from streamapp.metrics.instruments import LATENCY_SECONDS
from streamapp.metrics.registry import FAILURES
from tests.support.metrics import scrape

JOBS = Family("counter", "streamapp_jobs_total", "Jobs.", ("queue",))
WAITING = Family("gauge", "streamapp_waiting", "Waiting.")
TIME = Family("histogram", "streamapp_time_seconds", "Time.", ("type",))


def test_a_counter_is_told_with_its_labels_and_meaning() -> None:
    metrics = Metrics()
    metrics.count(JOBS, "a").add()
    metrics.count(JOBS, "a").add(2)
    metrics.count(JOBS, "b")
    told = scrape(metrics)
    assert told.value("streamapp_jobs_total", queue="a") == 3
    assert told.value("streamapp_jobs_total", queue="b") == 0
    assert (told.types["streamapp_jobs"], told.meanings["streamapp_jobs"]) == ("counter", "Jobs.")


def test_the_same_labels_are_the_same_counter() -> None:
    metrics = Metrics()
    assert metrics.count(JOBS, "a") is metrics.count(JOBS, "a")
    assert metrics.spread(TIME, "a") is metrics.spread(TIME, "a")
    assert metrics.count(JOBS, "a") is not metrics.count(JOBS, "b")


def test_a_name_stands_for_one_metric_only() -> None:
    metrics = Metrics()
    metrics.know(JOBS)
    with pytest.raises(ValueError, match="streamapp_jobs_total is another metric already"):
        metrics.count(Family("counter", "streamapp_jobs_total", "Other jobs.", ("queue",)), "a")


def test_a_histogram_counts_what_is_at_most_its_bound() -> None:
    spread = Spread((0.1, 1.0))
    for value in (0.1, 0.05, 1.0, 1.5, -3.0):
        spread.observe(value)
    assert spread.buckets == Buckets((0.1, 1.0), (3, 1, 1), pytest.approx(2.65))


def test_buckets_are_told_summed_up() -> None:
    metrics = Metrics()
    for value in (0.0005, 0.03, 0.03, 1000.0):
        metrics.spread(TIME, "a").observe(value)
    told = scrape(metrics)
    assert told.types["streamapp_time_seconds"] == "histogram"
    assert told.value("streamapp_time_seconds_bucket", type="a", le="0.001") == 1
    assert told.value("streamapp_time_seconds_bucket", type="a", le="0.05") == 3
    assert told.value("streamapp_time_seconds_bucket", type="a", le="300.0") == 3
    assert told.value("streamapp_time_seconds_bucket", type="a", le="+Inf") == 4
    assert told.value("streamapp_time_seconds_count", type="a") == 4
    assert told.value("streamapp_time_seconds_sum", type="a") == pytest.approx(1000.0605)
    assert len(told.having("streamapp_time_seconds_bucket")) == len(LATENCY_SECONDS) + 1


def test_a_histogram_without_a_sum_has_none_and_is_counted_all_the_same() -> None:
    metrics = Metrics()
    metrics.read((TIME,), lambda: [(TIME, ("a",), Buckets((0.1, 1.0), (2, 1, 1), None))])
    told = scrape(metrics)
    assert told.value("streamapp_time_seconds_count", type="a") == 4
    assert told.value("streamapp_time_seconds_bucket", type="a", le="1.0") == 3
    assert not told.having("streamapp_time_seconds_sum")


def test_what_is_kept_elsewhere_is_asked_for_at_every_scrape() -> None:
    metrics, waiting = Metrics(), [3]
    metrics.read((WAITING,), lambda: [(WAITING, (), waiting[0])])
    assert scrape(metrics).value("streamapp_waiting") == 3
    waiting[0] = 0
    assert scrape(metrics).value("streamapp_waiting") == 0


def test_a_reading_that_fails_hides_nothing_else_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Iterator[Sample]:
        yield TIME, ("a",), Buckets((1.0,), (0, 0), 0.0)
        raise OSError("the table is closed")

    metrics = Metrics()
    metrics.read((TIME,), fail)
    metrics.read((WAITING,), lambda: [(WAITING, (), 1)])
    metrics.count(JOBS, "a").add()
    told = scrape(metrics)
    assert told.value("streamapp_waiting") == 1
    assert told.value("streamapp_jobs_total", queue="a") == 1
    assert not told.having("streamapp_time_seconds_bucket")
    assert told.value(FAILURES.name) == 1
    assert "metrics could not be read" in caplog.text
    assert scrape(metrics).value(FAILURES.name) == 2


def test_labels_may_be_anything() -> None:
    metrics, odd = Metrics(), 'Ü"\\\n{x="y"} 💥'
    metrics.count(JOBS, odd).add()
    assert scrape(metrics).value("streamapp_jobs_total", queue=odd) == 1


def test_whoever_asks_for_openmetrics_gets_it() -> None:
    metrics = Metrics()
    metrics.count(JOBS, "a").add()
    body, content_type = metrics.text("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert "streamapp_jobs" in names
    assert metrics.text("text/html")[1].startswith("text/plain")


def test_the_process_itself_is_told_of() -> None:
    told = scrape(Metrics())
    assert told.value("process_resident_memory_bytes") > 1_000_000
    assert told.value("process_start_time_seconds") > 1_700_000_000


def test_registries_do_not_share_anything() -> None:
    one, other = Metrics(), Metrics()
    one.count(JOBS, "a").add()
    assert not scrape(other).having("streamapp_jobs_total")
    assert isinstance(other.count(JOBS, "a"), Count)
