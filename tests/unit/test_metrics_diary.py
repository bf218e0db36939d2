"""The diary's metrics are its totals, by partition, so that they go where the partition goes and sums stay right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain.facts import Recorded
from streamapp.domain.failures import Failure
from streamapp.domain.latency import Histogram, Latencies
from streamapp.domain.statistics import OfType, Statistics
from streamapp.domain.task import Task
from streamapp.domain.totals import BUCKETS_MS, Totals
from streamapp.domain.views import tell_diary
from streamapp.metrics import Metrics
from streamapp.metrics.diary import NOT_OVERDUE, DiaryMetrics, seconds
from streamapp.metrics.instruments import LATENCY_SECONDS
from tests.support.facts import records
from tests.support.metrics import Fresh, Scrape, scrape


def statistics_of(items: list[Recorded]) -> Statistics:
    statistics, known = Statistics(), dict[str, Task]()
    for item in items:
        tell_diary(item, statistics, lambda task_id: known.setdefault(task_id, Task(task_id)))
    return statistics


class Process:
    """A diary process that holds some of the partitions."""

    def __init__(self, parts: dict[int, Statistics], types: tuple[str, ...] = ("A", "B")) -> None:
        self.parts = parts
        self.metrics = Metrics()
        DiaryMetrics(self.metrics, lambda: self.parts, self.parts.__getitem__, Fresh(), types)

    def scrape(self) -> Scrape:
        return scrape(self.metrics)


@given(st.lists(records(["t1", "t2"]), min_size=1, max_size=3))
def test_every_number_of_the_totals_is_told(topic: list[list[Recorded]]) -> None:
    parts = {partition: statistics_of(items) for partition, items in enumerate(topic)}
    told = Process(parts).scrape()
    for partition, statistics in parts.items():
        place, totals = str(partition), statistics.totals
        for fact, number in totals.facts.items():
            assert told.value("streamapp_facts_total", fact=fact, partition=place) == number
        for state, number in totals.states.items():
            assert told.value("streamapp_tasks", state=state, partition=place) == number
        for error, number in totals.errors.items():
            assert told.total("streamapp_task_failures_total", error=error, partition=place) == number
        for (name, error), failure in statistics.failures.items():
            labels = {"type": name, "error": error, "partition": place}
            assert told.value("streamapp_task_failures_total", **labels) == failure.count
            assert told.value("streamapp_tasks_given_up_total", **labels) == failure.permanent
        for name, row in statistics.types.items():
            labels = {"type": name or "other", "partition": place}
            assert told.value("streamapp_due_to_dispatched_seconds_count", **labels) == row.latencies.dispatch.count
            assert told.value("streamapp_dispatched_to_ended_seconds_count", **labels) == row.latencies.execution.count
        assert told.total("streamapp_facts_total", partition=place) == sum(totals.facts.values())
        assert told.total("streamapp_tasks", partition=place) == sum(totals.states.values())
        assert told.value("streamapp_duplicate_facts_total", partition=place) == totals.duplicates
        assert told.value("streamapp_anomalies_total", partition=place) == totals.anomalies
        assert told.value("streamapp_unreadable_records_total", partition=place) == totals.unreadable
        assert told.value("streamapp_execution_seconds_count", partition=place) == sum(totals.execution)
        ended = sum(totals.accepted_to_completed)
        assert told.total("streamapp_accepted_to_completed_seconds_count", partition=place) == ended


def test_a_partition_that_moves_takes_its_numbers_along_and_the_sum_stays() -> None:
    left = Process({0: Statistics(Totals(facts={"TaskAccepted": 3})), 1: Statistics(Totals(facts={"TaskAccepted": 4}))})
    right = Process({2: Statistics(Totals(facts={"TaskAccepted": 5}))})

    def total() -> float:
        return sum(process.scrape().total("streamapp_facts_total", fact="TaskAccepted") for process in (left, right))

    assert total() == 12
    right.parts[1] = left.parts.pop(1)
    assert total() == 12
    assert right.scrape().value("streamapp_facts_total", fact="TaskAccepted", partition="1") == 4
    assert {labels["partition"] for labels in left.scrape().having("streamapp_facts_total")} == {"0"}


def test_what_has_not_happened_yet_is_zero_so_that_a_rate_sees_the_first_time() -> None:
    told = Process({0: Statistics()}).scrape()
    assert told.value("streamapp_facts_total", fact="TaskFailedPermanently", partition="0") == 0
    assert told.value("streamapp_tasks", state="RUNNING", partition="0") == 0


def test_buckets_are_those_of_the_totals_in_seconds() -> None:
    assert tuple(bound / 1000 for bound in BUCKETS_MS) == LATENCY_SECONDS
    counts = [0] * (len(BUCKETS_MS) + 1)
    counts[3], counts[-1] = 2, 1
    told = Process({0: Statistics(Totals(execution=counts))}).scrape()
    assert told.value("streamapp_execution_seconds_bucket", le="0.005", partition="0") == 0
    assert told.value("streamapp_execution_seconds_bucket", le="0.01", partition="0") == 2
    assert told.value("streamapp_execution_seconds_bucket", le="300.0", partition="0") == 2
    assert told.value("streamapp_execution_seconds_bucket", le="+Inf", partition="0") == 3
    assert not told.having("streamapp_execution_seconds_sum"), "nobody keeps the sum, so nobody may tell one"


def test_types_that_no_registry_knows_are_one_and_their_times_add_up() -> None:
    def row(name: str, milliseconds: int) -> OfType:
        histogram = Histogram()
        histogram.add(milliseconds)
        return OfType(name, Latencies(end_to_end=histogram))

    strangers = [row(f"STRANGE-{number}", 1000) for number in range(30)]
    told = Process({0: Statistics(None, [row("A", 40), *strangers])}).scrape()
    name = "streamapp_accepted_to_completed_seconds"
    assert {labels["type"] for labels in told.having(f"{name}_count")} == {"A", "B", "other"}
    assert told.value(f"{name}_count", type="A", partition="0") == 1
    assert told.value(f"{name}_sum", type="A", partition="0") == 0.04
    assert told.value(f"{name}_count", type="other", partition="0") == 30
    assert told.value(f"{name}_sum", type="other", partition="0") == 30
    assert told.value(f"{name}_count", type="B", partition="0") == 0


def test_failures_are_told_by_type_and_error() -> None:
    kinds = [Failure("A", "Boom", 1, 2, "no", 3, 1), Failure("B", "Boom", 1, 2, "no", 4, 0)]
    told = Process({0: Statistics(None, kinds)}).scrape()
    assert told.value("streamapp_task_failures_total", type="A", error="Boom", partition="0") == 3
    assert told.value("streamapp_tasks_given_up_total", type="A", error="Boom", partition="0") == 1
    assert told.total("streamapp_task_failures_total", error="Boom") == 7


def test_a_sum_that_is_kept_is_told_in_seconds() -> None:
    assert seconds([0], 1500).total == 1.5


def test_lag_and_staleness_are_told() -> None:
    class Behind:
        stale = True

        def lag(self) -> dict[int, int]:
            return {3: 17}

    metrics = Metrics()
    DiaryMetrics(metrics, list, lambda _: Statistics(), Behind())
    told = scrape(metrics)
    assert told.value("streamapp_diary_lag_facts", partition="3") == 17
    assert told.value("streamapp_diary_stale") == 1


def test_stuck_tasks_are_told_by_what_is_expected_where_a_list_of_them_is_kept() -> None:
    metrics = Metrics()
    DiaryMetrics(metrics, lambda: [1], lambda _: Statistics(), Fresh(), (), lambda _: {"outcome": 2})
    told = scrape(metrics)
    assert told.value("streamapp_tasks_overdue", expected="outcome", partition="1") == 2
    assert told.value("streamapp_tasks_overdue", expected="start", partition="1") == 0
    assert len(told.having("streamapp_tasks_overdue")) == len(NOT_OVERDUE)


def test_stuck_tasks_that_nobody_has_counted_yet_are_not_told_as_none() -> None:
    metrics = Metrics()
    DiaryMetrics(metrics, lambda: [1, 2], lambda _: Statistics(), Fresh(), (), {1: None, 2: {"start": 3}}.get)
    told = scrape(metrics)
    assert {labels["partition"] for labels in told.having("streamapp_tasks_overdue")} == {"2"}
    assert told.total("streamapp_tasks_overdue") == 3


def test_a_partition_given_up_in_the_middle_of_a_scrape_costs_no_more_than_its_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def gone(_: int) -> Statistics:
        raise KeyError("closed")

    metrics = Metrics()
    DiaryMetrics(metrics, lambda: [1], gone, Fresh())
    told = scrape(metrics)
    assert told.value("streamapp_diary_lag_facts", partition="0") == 0
    assert not told.having("streamapp_tasks")
    assert "metrics could not be read" in caplog.text
