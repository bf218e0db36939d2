"""Statistics: by minute, worker, kind of failure and type, bounded, and never out of step with the totals."""

import pytest
from hypothesis import given
from msgspec.structs import replace

from streamapp.domain import failures, minutes, statistics, workers
from streamapp.domain.facts import Recorded
from streamapp.domain.failures import MAX_EXAMPLES, NO_OUTCOME
from streamapp.domain.minutes import COUNTED, FACTS, MAX_MINUTES, MINUTE_MS, Minute, by_type, summed
from streamapp.domain.statistics import OfType, Statistics
from streamapp.domain.task import Task
from streamapp.domain.views import tell_diary
from streamapp.domain.workers import RECENT_MINUTES, Worker
from tests.support.facts import partitions
from tests.support.story import START, Story, later


def told(facts: list[Recorded], statistics: Statistics | None = None, tasks: dict[str, Task] | None = None):
    """Statistics after the facts, folded as the diary folds them."""
    statistics = Statistics() if statistics is None else statistics
    tasks = {} if tasks is None else tasks
    for recorded in facts:
        tell_diary(recorded, statistics, lambda task_id: tasks.setdefault(task_id, Task(task_id)))
    return statistics


def counts(statistics: Statistics) -> dict[str, int]:
    return dict(zip(COUNTED, summed(statistics.minutes.values()), strict=True))


@given(partitions())
def test_minutes_workers_failures_and_types_agree_with_the_totals(facts):
    tasks: dict[str, Task] = {}
    found = told(facts, tasks=tasks)
    totals, summed_up = found.totals, counts(found)
    for name, fact in zip(COUNTED, FACTS, strict=False):
        assert summed_up[name] == totals.facts.get(fact, 0)
    assert summed_up["duplicates"] == totals.duplicates
    known = found.workers.values()
    assert sum(worker.started for worker in known) == totals.facts.get("TaskExecutionStarted", 0)
    assert sum(worker.completed for worker in known) == totals.facts.get("TaskExecutionCompleted", 0)
    assert sum(worker.failed for worker in known) == totals.facts.get("TaskExecutionFailed", 0)
    kinds = found.failures.values()
    assert sum(kind.count for kind in kinds) == totals.facts.get("TaskExecutionFailed", 0)
    requeued = sum(task.requeues for task in tasks.values())
    assert sum(kind.permanent for kind in kinds) == totals.states.get("FAILED_PERMANENTLY", 0) + requeued
    ever = {name: kind.latencies for name, kind in found.types.items()}
    assert by_type(found.minutes.values()) == ever
    assert sum(kind.end_to_end.count for kind in ever.values()) == sum(totals.accepted_to_completed)


def test_latencies_are_counted_from_the_moments_that_the_facts_tell():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.failed):
        step()
    story.retry_scheduled(not_before=story.now + 500)
    story.dispatched(2)
    story.started(2, 2)
    story.completed(2, 2)
    latencies = told(story.facts).types["EMAIL"].latencies
    assert (latencies.dispatch.count, latencies.dispatch.sum_ms) == (2, 1000 + 500)
    assert (latencies.execution.count, latencies.execution.sum_ms) == (2, 2000 + 2000)
    assert (latencies.end_to_end.count, latencies.end_to_end.sum_ms) == (1, 7000)
    assert latencies.end_to_end.quantile(0.5) == 10_000


def test_what_overtook_its_dispatch_is_floored_at_zero():
    story = Story()
    story.accepted()
    story.started()
    story.completed()
    story.facts.append(later(story.dispatched(), 9, START))
    latencies = told([*story.facts[:3], story.facts[-1]]).types["EMAIL"].latencies
    assert (latencies.dispatch.counts[0], latencies.dispatch.sum_ms) == (1, 0)
    assert latencies.execution.sum_ms == 1000  # from the start, as nothing earlier was known


def test_an_outcome_that_does_not_count_is_no_latency():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
    story.completed(claim=2)
    assert told(story.facts).types["EMAIL"].latencies.execution.count == 1


def test_minutes_are_kept_for_a_day_and_an_older_fact_is_not_counted_in_one():
    story = Story()
    facts = [later(story.rejected(str(n).encode()), n, START + n * 7 * MINUTE_MS) for n in range(400)]
    found = told(facts)
    newest = facts[-1].at // MINUTE_MS
    assert set(found.minutes) == {fact.at // MINUTE_MS for fact in facts if fact.at // MINUTE_MS > newest - MAX_MINUTES}
    changes = found.take_changes()
    dropped = {key for (kind, key), row in changes.items() if kind is Minute and row is None}
    assert dropped == {fact.at // MINUTE_MS for fact in facts} - set(found.minutes)
    told([later(story.rejected(b"late"), 1000, START)], found)
    assert (found.take_changes(), found.totals.facts) == ({}, {"TaskRejected": 401})
    told([later(story.rejected(b"much later"), 1001, START + 90 * 86_400_000)], found)
    assert len(found.minutes) == 1


def test_workers_that_were_seen_longest_ago_make_room(monkeypatch):
    monkeypatch.setattr(statistics, "MAX_WORKERS", 3)
    story = Story()
    story.accepted()
    for claim, worker in enumerate(["a", "b", "c", "a", "d"], 1):
        story.started(claim=claim, worker=worker)
    found = told(story.facts)
    assert sorted(found.workers) == ["a", "c", "d"]
    assert found.workers["a"].started == 2
    assert found.take_changes()[Worker, "b"] is None


def test_worker_knows_its_last_minutes():
    worker = Worker("w", 0, 0, 0)
    for minute in (1, 1, 2, 5, RECENT_MINUTES + 2):
        worker.ended(minute)
    assert worker.recent == {5: 1, RECENT_MINUTES + 2: 1}
    other = workers.copied(worker)
    other.last_started_at = 7
    other.failed, worker.completed = 1, 3
    worker.join(other)
    assert (worker.recent, worker.last_started_at, worker.failure_rate) == ({5: 2, RECENT_MINUTES + 2: 2}, 7, 0.25)
    assert Worker("new", 0, 0, 0).failure_rate is None


def test_failures_by_kind_with_examples():
    tasks: dict[str, Task] = {}
    found = Statistics()
    for number in range(8):
        story = Story(f"task-{number}")
        story.accepted()
        story.started()
        story.failed()
        if number % 2:
            story.failed_permanently()
        told([later(fact, 10 * number + fact.offset, fact.at + 9000 * number) for fact in story.facts], found, tasks)
    (kind,) = found.failures.values()
    assert (kind.type, kind.error_type, kind.count, kind.permanent) == ("EMAIL", "Boom", 8, 4)
    assert (kind.first_at, kind.last_at) == (START + 2000, START + 2000 + 9000 * 7)
    assert kind.examples == [f"task-{number}" for number in (7, 6, 5, 4, 3)]
    assert len(kind.examples) == MAX_EXAMPLES
    assert kind.last_message == "no luck"


def test_task_given_up_without_a_failure_is_a_kind_of_its_own():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.failed_permanently):
        step()
    found = told(story.facts)
    assert found.failures["EMAIL", NO_OUTCOME].permanent == 1
    assert found.failures["EMAIL", NO_OUTCOME].last_message == "Boom"


def test_kinds_of_failure_are_bounded_and_no_name_imitates_another(monkeypatch):
    monkeypatch.setattr(statistics, "MAX_FAILURES", 2)
    story = Story()
    found = Statistics()
    for number, error in enumerate(["a\0b", "b", "c", "d" * 5000], 1):
        fact = story.failed(claim=number)
        told([replace(fact, fact=replace(fact.fact, error_type=error, message="x" * 9000))], found)
    assert list(found.failures) == [("", "a\ufffdb"), ("", "b"), ("other", "other")]
    assert found.failures["other", "other"].count == 2
    assert len(found.failures["", "b"].last_message.encode()) == failures.MAX_MESSAGE_BYTES


def test_types_are_bounded(monkeypatch):
    monkeypatch.setattr(statistics, "MAX_TYPES", 2)
    monkeypatch.setattr(minutes, "MAX_TYPES_A_MINUTE", 1)
    found = Statistics()
    for number, name in enumerate("abcd"):
        story = Story(name)
        story.accepted(type=name)
        story.dispatched()
        told([later(fact, 10 * number + fact.offset, fact.at) for fact in story.facts], found)
    assert {name: kind.latencies.dispatch.count for name, kind in found.types.items()} == {"a": 1, "b": 1, "other": 2}
    (minute,) = found.minutes.values()
    assert {name: kind.dispatch.count for name, kind in minute.types.items()} == {"a": 1, "other": 3}
    assert found.take_changes()[OfType, "other"] is found.types["other"]


@pytest.mark.parametrize("kind", [Statistics().rows, Statistics().take_changes])
def test_nothing_told_is_no_row(kind):
    assert kind() == {}
