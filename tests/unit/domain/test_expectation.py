"""What is expected of a task next, and by when: as dispatch acts, so it is told."""

import pytest
from hypothesis import given

from streamapp.domain.dispatch import Limits, ScheduleRetry, Wait, decide
from streamapp.domain.expectation import NOTHING, PROMPTLY_MS, Expected, expected, standing_since, why
from streamapp.domain.outbox import Open, remember
from streamapp.domain.progress import State
from streamapp.domain.task import fold
from tests.support.facts import records
from tests.support.story import START, Story

LIMITS = Limits(stuck_margin_ms=30_000, lost_after_ms=120_000)


def _expected(story: Story) -> Expected:
    task = story.task
    return expected(task, standing_since(task), LIMITS)


def test_each_state_has_its_own_next_step():
    story = Story()
    story.accepted()
    assert _expected(story) == ("dispatch", START + PROMPTLY_MS)
    story.dispatched()
    assert _expected(story) == ("start", START + 1000 + 120_000)
    story.started()
    assert _expected(story) == ("outcome", START + 2000 + 60_000 + 30_000)
    story.failed()
    assert _expected(story) == ("retry", START + 3000 + PROMPTLY_MS)
    story.retry_scheduled(not_before=START + 50_000)
    assert _expected(story) == ("dispatch", START + 50_000 + PROMPTLY_MS)
    story.started(2, 2)
    story.completed(2, 2)
    assert _expected(story) == NOTHING


def test_a_later_claim_of_the_same_attempt_is_a_new_beginning():
    story = Story()
    for step in (story.accepted, story.dispatched, story.started):
        step()
    story.started(claim=2, worker="w2")
    assert standing_since(story.task) == START + 3000
    story.started(claim=1, worker="w3")  # a zombie: below the highest token
    assert standing_since(story.task) == START + 3000


def test_a_dispatch_that_is_told_late_changes_nothing():
    story = Story()
    for step in (story.accepted, story.started, story.dispatched):
        step()
    assert story.task.state is State.RUNNING
    assert standing_since(story.task) == START + 1000


@pytest.mark.parametrize("step", ["rejected", "dispatched", "started"])
def test_nothing_is_expected_of_what_was_never_accepted(step):
    story = Story()
    getattr(story, step)()
    assert _expected(story) == NOTHING


@given(records())
def test_a_running_task_is_overdue_exactly_when_dispatch_acts(facts):
    task, memory = fold(None, facts), None
    for recorded in facts:
        memory = remember(memory, recorded)
    if task is None or task.state is not State.RUNNING or not isinstance(memory, Open) or memory.policy is None:
        return
    found = expected(task, standing_since(task), LIMITS)
    if task.anomalies:  # contradictions may restart one clock and not the other; a plain life may not
        assert found.what == "outcome"
        return
    assert isinstance(decide(memory, found.by - 1, 0, LIMITS), Wait)
    assert isinstance(decide(memory, found.by, 0, LIMITS), ScheduleRetry) or memory.policy.max_attempts == 1


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("dispatch", "not dispatched"),
        ("start", "dispatched 5 s ago"),
        ("outcome", "no outcome"),
        ("retry", "decided"),
        ("nothing", "nothing"),
    ],
)
def test_why_says_it_in_words(what, text):
    assert text in why(what, START, START + 5000)
