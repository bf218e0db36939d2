"""Sums: nothing is counted twice and nothing is missed, whatever is folded again."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamapp.domain.progress import State
from streamapp.domain.task import Task, apply
from streamapp.domain.totals import (
    BUCKETS_MS,
    MAX_ERROR_TYPES,
    MAX_UNREADABLE,
    Totals,
    count,
    count_unreadable,
    look,
    merge,
    quantile,
)
from tests.support.facts import partitions
from tests.support.story import Story


def _fold(facts, tasks: dict[str, Task], totals: Totals) -> None:
    for recorded in facts:
        task = tasks.setdefault(recorded.fact.task_id, Task(recorded.fact.task_id))
        before = look(task)
        apply(task, recorded)
        count(totals, before, task, recorded)


@given(partitions())
def test_totals_say_what_the_tasks_say(facts):
    tasks: dict[str, Task] = {}
    totals = Totals()
    _fold(facts, tasks, totals)
    states = [task.state for task in tasks.values()]
    assert totals.states == {state: states.count(state) for state in set(states)}
    assert sum(totals.states.values()) == len(tasks)
    assert sum(totals.facts.values()) == sum(len(task.history) for task in tasks.values())
    assert totals.duplicates == sum(task.duplicates for task in tasks.values())
    assert totals.anomalies == sum(len(task.anomalies) for task in tasks.values())
    assert sum(totals.facts.values()) + totals.duplicates == len(facts)
    assert sum(totals.execution) == sum(
        totals.facts.get(name, 0) for name in ("TaskExecutionCompleted", "TaskExecutionFailed")
    )
    assert sum(totals.errors.values()) == totals.facts.get("TaskExecutionFailed", 0)
    assert totals.offset == (facts[-1].offset if facts else -1)


@given(partitions(), st.data())
def test_crash_between_totals_and_tasks_counts_nothing_twice(facts, data):
    """Totals are durable before the tasks of the same batch; a crash in between folds the batch again."""
    first = data.draw(st.integers(0, len(facts)))
    crash = data.draw(st.integers(first, len(facts)))
    tasks: dict[str, Task] = {}
    totals = Totals()
    _fold(facts[:first], tasks, totals)
    stored_tasks = deepcopy(tasks)
    _fold(facts[first:crash], tasks, totals)
    stored_totals = deepcopy(totals)  # written; the tasks of the batch are not

    replay_from = data.draw(st.integers(0, first))
    end = data.draw(st.integers(crash, len(facts)))
    _fold(facts[replay_from:end], stored_tasks, stored_totals)
    _fold(facts[end:], stored_tasks, stored_totals)

    plain_tasks: dict[str, Task] = {}
    plain = Totals()
    _fold(facts, plain_tasks, plain)
    assert stored_tasks == plain_tasks
    assert stored_totals == plain


@given(partitions(), partitions())
def test_merging_partitions_adds_them_up(left, right):
    parts = [Totals(), Totals()]
    for facts, totals in zip((left, right), parts, strict=True):
        _fold(facts, {}, totals)
    untouched = deepcopy(parts)
    merged = merge(parts)
    assert parts == untouched
    assert sum(merged.facts.values()) + merged.duplicates == len(left) + len(right)
    assert merge(parts[::-1]) == merged
    assert merge([]) == Totals()


def test_latency_is_counted_once_from_acceptance_to_completion():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.completed, story.completed):
        step()
    totals = Totals()
    _fold(story.facts, {}, totals)
    assert sum(totals.accepted_to_completed) == 1
    assert quantile(totals.accepted_to_completed, 0.5) == 5000
    assert quantile(totals.execution, 0.5) == 50
    assert totals.states == {State.COMPLETED: 1}


def test_completed_before_it_was_accepted_does_not_break_the_latency():
    story = Story()
    story.started()
    story.completed()
    story.accepted()
    totals = Totals()
    _fold(story.facts, {}, totals)
    assert sum(totals.accepted_to_completed) == 0
    assert totals.states == {State.COMPLETED: 1}


def test_error_types_are_bounded_in_number_and_length():
    story = Story()
    totals, tasks = Totals(), {}
    for number in range(MAX_ERROR_TYPES + 20):
        story.failed(claim=number + 1)
        recorded = story.facts[-1]
        odd = replace(recorded.fact, error_type=f"E{number}-" + "x" * 5000)
        _fold([replace(recorded, fact=odd)], tasks, totals)
    assert len(totals.errors) <= MAX_ERROR_TYPES + 1
    assert totals.errors["other"] == 20
    assert max(map(len, totals.errors)) <= 200


def test_unreadable_records_are_counted_once_and_the_latest_are_named():
    totals = Totals()
    for offset in range(MAX_UNREADABLE + 5):
        count_unreadable(totals, offset, 1000 + offset, "not JSON")
        count_unreadable(totals, offset, 1000 + offset, "not JSON")
    assert totals.unreadable == MAX_UNREADABLE + 5
    assert len(totals.unreadable_last) == MAX_UNREADABLE
    assert totals.unreadable_last[-1].offset == totals.offset == MAX_UNREADABLE + 4


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_bound_the_value_they_stand_for(values, low, high):
    histogram = [0] * (len(BUCKETS_MS) + 1)
    for value in values:
        histogram[next(index for index, bound in enumerate(BUCKETS_MS) if value <= bound)] += 1
    low, high = sorted((low, high))
    assert quantile(histogram, low) <= quantile(histogram, high)
    assert quantile(histogram, 1) >= max(values)
    assert quantile(histogram, 0) >= min(values)


@pytest.mark.parametrize("histogram", [[0] * (len(BUCKETS_MS) + 1), [0] * len(BUCKETS_MS) + [3]])
def test_no_quantile_without_data_or_above_all_bounds(histogram):
    assert quantile(histogram, 0.5) is None
