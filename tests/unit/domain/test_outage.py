"""The report of a span: who waited and how long, what was silent, and what nobody can explain."""

import itertools
from dataclasses import asdict

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.diary.outage_text import report
from streamapp.domain.dispatch import Limits
from streamapp.domain.facts import Recorded
from streamapp.domain.outage import Bounds, Span, Stage, join, silences, tell, united, verdict
from streamapp.domain.task import Task, fold
from tests.support.facts import partitions
from tests.support.story import START, Story

LIMITS = Limits(30_000, 120_000)
SECOND = START // 1000


def bounds(first: int = START, last: int = START + 300_000, now: int = START + 600_000) -> Bounds:
    return Bounds(first, last, now, LIMITS)


def timed(story: Story, *seconds: float) -> Task:
    """The task after its facts, told so many seconds after the start."""
    facts = [
        Recorded(fact.fact, number, START + round(at * 1000))
        for number, (fact, at) in enumerate(zip(story.facts, seconds, strict=True))
    ]
    task = fold(None, facts)
    assert task is not None
    return task


def plain(task_id: str, *seconds: float) -> Task:
    story = Story(task_id)
    for step in (story.accepted, story.dispatched, story.started, story.completed)[: len(seconds)]:
        step()
    return timed(story, *seconds)


def span_of(*tasks: Task, within: Bounds | None = None) -> Span:
    span, within = Span(), within or bounds()
    for task in tasks:
        inside = sum(within.within(entry.at) for entry in task.history)
        tell(span, task, inside + task.duplicates, within)
    return span


def test_what_waited_and_how_long():
    quick, slow, slower = plain("quick", 0, 0, 0.1, 1), plain("slow", 10, 50, 52, 53), plain("slower", 11, 61, 62, 63)
    told = report(span_of(quick, slow, slower), START, START + 300_000, [])
    assert told["accepted"] == 3
    assert told["waited"] == {
        "count": 2,
        "p50Ms": 51_000,
        "maxMs": 51_000,
        "longest": [
            {"taskId": "slower", "attempt": 1, "waitedMs": 51_000, "still": False},
            {"taskId": "slow", "attempt": 1, "waitedMs": 42_000, "still": False},
        ],
    }
    assert (told["unexplained"], told["verdict"]) == (0, "as-designed")
    assert told["findings"] == [
        "2023-11-14T22:13:30.000Z to 2023-11-14T22:14:09.000Z (40 s): work was due and nothing was dispatched. "
        "Dispatch, Kafka or RabbitMQ did not work; the outbox kept it",
        "2023-11-14T22:14:11.000Z to 2023-11-14T22:14:20.000Z (10 s): work was due and nothing was dispatched. "
        "Dispatch, Kafka or RabbitMQ did not work; the outbox kept it",
    ]


def test_jobs_that_nobody_took_are_another_silence_than_work_that_was_not_dispatched():
    told = report(span_of(plain("a", 0, 0, 30, 31), plain("b", 5, 5, 31, 32)), START, START + 300_000, [])
    assert told["findings"] == [
        "2023-11-14T22:13:20.000Z to 2023-11-14T22:13:49.000Z (30 s): jobs were handed out and none started. "
        "RabbitMQ, Redis or the workers did not work, or all workers were busy; the queue kept them"
    ]


def test_retries_wait_from_when_they_are_due():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.failed):
        step()
    story.retry_scheduled(not_before=START + 60_000)
    story.dispatched(2)
    story.started(2, 2)
    story.completed(2, 2)
    span = span_of(timed(story, 0, 0, 0, 1, 1, 90, 91, 92))
    assert (span.failed, span.waits) == (1, [31_000])
    assert span.longest[0].attempt == 2


def test_what_still_waits_is_explained_until_it_is_overdue():
    open_task = plain("open", 0, 1)
    in_time = span_of(open_task, within=bounds(now=START + 100_000))
    assert (in_time.unexplained, in_time.longest[0].still, in_time.waits) == (0, True, [100_000])
    late = span_of(open_task)
    assert (late.unexplained, verdict(late, missing=False)) == (1, "unexplained")
    told = report(late, START, START + 300_000, [])
    assert told["findings"][-1] == "unexplained: open: dispatched 599 s ago, and not started"


def test_only_what_lies_in_the_span_is_counted():
    within = bounds(START + 10_000, START + 20_000)
    assert span_of(plain("before", 0, 1, 2, 3), within=within) == Span()
    span = span_of(plain("through", 0, 1, 15, 30), within=within)
    assert (span.accepted, span.waits) == (0, [15_000])
    assert span.starting == Stage({SECOND + 15}, [(SECOND + 10, SECOND + 15)])


def test_attempts_that_were_superseded_wait_for_nothing():
    story = Story()
    story.accepted()
    story.dispatched()
    story.retry_scheduled(2, not_before=START + 200_000)  # the queue moved on without it
    story.dispatched(2)
    story.started(2, 2)
    story.completed(2, 2)
    assert span_of(timed(story, 0, 0, 200, 200, 200, 201)).waits == []


def test_duplicates_contradictions_and_failures_are_counted():
    story = Story()
    for step in (story.accepted, story.started, story.completed):
        step()
    story.again(story.facts[0])
    story.failed(claim=2)
    rejected = Story("other")
    rejected.rejected()
    lost = Story("lost")
    for step in (lost.accepted, lost.started, lost.failed, lost.failed_permanently):
        step()
    span = span_of(story.task, rejected.task, lost.task)
    assert (span.duplicates, span.rejected, span.failed, span.failed_permanently) == (1, 1, 2, 1)
    told = report(span, START, START + 300_000, [3])
    assert told["verdict"] == "incomplete"
    assert told["findings"] == [
        "nothing is known of partitions 3: ask again when they are held",
        "kept as a contradiction, 1 times: an outcome after the end does not count",
    ]


def test_a_long_list_of_the_unexplained_is_cut():
    span = span_of(*(plain(f"task-{number}", 0) for number in range(30)))
    told = report(span, START, START + 300_000, [])
    assert told["unexplained"] == 30
    assert told["findings"][-1] == "unexplained: 10 more tasks"


def test_silences_are_the_longest_ones_in_order():
    stage = Stage({10, 20, 21, 60}, [(0, 30), (40, 80)])
    assert silences(stage) == [(0, 9), (11, 19), (22, 30), (40, 59), (61, 80)]
    assert silences(Stage({5}, [(3, 8)])) == []


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)).map(lambda pair: (pair[0], sum(pair))), max_size=8))
def test_united_intervals_cover_the_same_seconds(intervals):
    whole = united(intervals)
    seconds = {second for first, last in intervals for second in range(first, last + 1)}
    assert {second for first, last in whole for second in range(first, last + 1)} == seconds
    assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(whole))


@settings(max_examples=60)
@given(partitions(), st.integers(0, 60_000), st.integers(0, 60_000))
def test_any_history_can_be_reported_and_the_parts_are_the_whole(facts, first, length):
    tasks: dict[str, list[Recorded]] = {}
    for recorded in facts:
        tasks.setdefault(recorded.fact.task_id, []).append(recorded)
    found = [fold(None, of_task) for of_task in tasks.values()]
    within = bounds(START + first, START + first + length)
    whole = span_of(*found, within=within)
    parts = join(span_of(task, within=within) for task in found)
    assert asdict(parts) | {"waits": sorted(parts.waits)} == asdict(join([whole]) if found else Span()) | {
        "waits": sorted(whole.waits)
    }
    report(parts, within.first, within.last, [])
