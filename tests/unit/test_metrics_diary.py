"""The diary's metrics are its totals, by partition, so that they go where the partition goes and sums stay right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain.facts import Recorded
from streamapp.domain.task import Task
from streamapp.domain.totals import BUCKETS_MS, Totals
from streamapp.domain.views import tell_diary
from streamapp.metrics import Metrics
from streamapp.metrics.diary import NOT_OVERDUE, DiaryMetrics, seconds
from streamapp.metrics.instruments import LATENCY_SECONDS
from tests.support.facts import records
from tests.support.metrics import Fresh, Scrape, scrape


def totals_of(items: list[Recorded]) -> Totals:
    totals, known = Totals(), dict[str, Task]()
    for item in items:
        tell_diary(item, totals, lambda task_id: known.setdefault(task_id, Task(task_id)))
    return totals


class Process:
    """A diary process that holds some of the partitions."""

    def __init__(self, parts: dict[int, Totals]) -> None:
        self.parts = parts
        self.metrics = Metrics()
        DiaryMetrics(self.metrics, lambda: self.parts, self.parts.__getitem__, Fresh())

    def scrape(self) -> Scrape:
        return scrape(self.metrics)


@given(st.lists(records(["t1", "t2"]), min_size=1, max_size=3))
def test_every_number_of_the_totals_is_told(topic: list[list[Recorded]]) -> None:
    parts = {partition: totals_of(items) for partition, items in enumerate(topic)}
    told = Process(parts).scrape()
    for partition, totals in parts.items():
        place = str(partition)
        for fact, number in totals.facts.items():
            assert told.value("streamapp_facts_total", fact=fact, partition=place) == number
        for state, number in totals.states.items():
            assert told.value("streamapp_tasks", state=state, partition=place) == number
        for error, number in totals.errors.items():
            assert told.value("streamapp_task_failures_total", error=error, partition=place) == number
        assert told.total("streamapp_facts_total", partition=place) == sum(totals.facts.values())
        assert told.total("streamapp_tasks", partition=place) == sum(totals.states.values())
        assert told.value("streamapp_duplicate_facts_total", partition=place) == totals.duplicates
        assert told.value("streamapp_anomalies_total", partition=place) == totals.anomalies
        assert told.value("streamapp_unreadable_records_total", partition=place) == totals.unreadable
        assert told.value("streamapp_execution_seconds_count", partition=place) == sum(totals.execution)
        ended = sum(totals.accepted_to_completed)
        assert told.value("streamapp_accepted_to_completed_seconds_count", partition=place) == ended


def test_a_partition_that_moves_takes_its_numbers_along_and_the_sum_stays() -> None:
    left = Process({0: Totals(facts={"TaskAccepted": 3}), 1: Totals(facts={"TaskAccepted": 4})})
    right = Process({2: Totals(facts={"TaskAccepted": 5})})

    def total() -> float:
        return sum(process.scrape().total("streamapp_facts_total", fact="TaskAccepted") for process in (left, right))

    assert total() == 12
    right.parts[1] = left.parts.pop(1)
    assert total() == 12
    assert right.scrape().value("streamapp_facts_total", fact="TaskAccepted", partition="1") == 4
    assert {labels["partition"] for labels in left.scrape().having("streamapp_facts_total")} == {"0"}


def test_what_has_not_happened_yet_is_zero_so_that_a_rate_sees_the_first_time() -> None:
    told = Process({0: Totals()}).scrape()
    assert told.value("streamapp_facts_total", fact="TaskFailedPermanently", partition="0") == 0
    assert told.value("streamapp_tasks", state="RUNNING", partition="0") == 0


def test_buckets_are_those_of_the_totals_in_seconds() -> None:
    assert tuple(bound / 1000 for bound in BUCKETS_MS) == LATENCY_SECONDS
    counts = [0] * (len(BUCKETS_MS) + 1)
    counts[3], counts[-1] = 2, 1
    told = Process({0: Totals(execution=counts)}).scrape()
    assert told.value("streamapp_execution_seconds_bucket", le="0.005", partition="0") == 0
    assert told.value("streamapp_execution_seconds_bucket", le="0.01", partition="0") == 2
    assert told.value("streamapp_execution_seconds_bucket", le="300.0", partition="0") == 2
    assert told.value("streamapp_execution_seconds_bucket", le="+Inf", partition="0") == 3
    assert not told.having("streamapp_execution_seconds_sum"), "nobody keeps the sum, so nobody may tell one"


def test_a_sum_that_is_kept_is_told_in_seconds() -> None:
    assert seconds([0], 1500).total == 1.5


def test_lag_and_staleness_are_told() -> None:
    class Behind:
        stale = True

        def lag(self) -> dict[int, int]:
            return {3: 17}

    metrics = Metrics()
    DiaryMetrics(metrics, list, lambda _: Totals(), Behind())
    told = scrape(metrics)
    assert told.value("streamapp_diary_lag_facts", partition="3") == 17
    assert told.value("streamapp_diary_stale") == 1


def test_stuck_tasks_are_told_by_what_is_expected_where_a_list_of_them_is_kept() -> None:
    metrics = Metrics()
    DiaryMetrics(metrics, lambda: [1], lambda _: Totals(), Fresh(), lambda _: {"outcome": 2})
    told = scrape(metrics)
    assert told.value("streamapp_tasks_overdue", expected="outcome", partition="1") == 2
    assert told.value("streamapp_tasks_overdue", expected="start", partition="1") == 0
    assert len(told.having("streamapp_tasks_overdue")) == len(NOT_OVERDUE)


def test_stuck_tasks_that_nobody_has_counted_yet_are_not_told_as_none() -> None:
    metrics = Metrics()
    DiaryMetrics(metrics, lambda: [1, 2], lambda _: Totals(), Fresh(), {1: None, 2: {"start": 3}}.get)
    told = scrape(metrics)
    assert {labels["partition"] for labels in told.having("streamapp_tasks_overdue")} == {"2"}
    assert told.total("streamapp_tasks_overdue") == 3


def test_a_partition_given_up_in_the_middle_of_a_scrape_costs_no_more_than_its_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def gone(_: int) -> Totals:
        raise KeyError("closed")

    metrics = Metrics()
    DiaryMetrics(metrics, lambda: [1], gone, Fresh())
    told = scrape(metrics)
    assert told.value("streamapp_diary_lag_facts", partition="0") == 0
    assert not told.having("streamapp_tasks")
    assert "metrics could not be read" in caplog.text
