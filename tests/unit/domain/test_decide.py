"""What dispatch decides about an outbox entry."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamapp.domain.dispatch import (
    AwaitStart,
    Decision,
    GiveUp,
    Limits,
    Nothing,
    Publish,
    ScheduleRetry,
    Wait,
    decide,
)
from streamapp.domain.facts import Recorded
from streamapp.domain.outbox import Closed, Open, remember
from streamapp.domain.outcome import Failed
from streamapp.domain.policy import Policy, delay_ms
from streamapp.domain.progress import State
from streamapp.wire import facts as wire
from tests.support.facts import SCRIBE, TASK, records, tokens
from tests.support.story import Story

LIMITS = Limits(stuck_margin_ms=30_000, lost_after_ms=120_000)


def _decide(story: Story, now: int | None = None, started: int = 0):
    assert isinstance(story.memory, Open)
    return decide(story.memory, story.now if now is None else now, started, LIMITS)


def _running(policy: Policy | None = None) -> Story:
    story = Story(policy=policy)
    story.accepted()
    story.dispatched()
    story.started()
    return story


def test_accepted_is_published_at_once():
    story = Story()
    story.accepted()
    assert _decide(story) == Publish(1)


def test_rejected_or_never_accepted_is_left_alone():
    story = Story()
    story.rejected()
    assert _decide(story) == Nothing()
    story.dispatched()
    assert _decide(story) == Nothing()


def test_dispatched_waits_for_its_start_while_the_queue_stands_still():
    story = Story()
    story.accepted()
    dispatched = story.dispatched(queue="slow")
    assert _decide(story, started=0) == AwaitStart("slow", dispatched.at)
    assert _decide(story, started=dispatched.at + LIMITS.lost_after_ms) == AwaitStart("slow", dispatched.at)


def test_dispatched_is_superseded_when_its_queue_moved_on_and_no_attempt_is_burnt():
    story = Story()
    story.accepted()
    dispatched = story.dispatched(queue="slow")
    decision = _decide(story, started=dispatched.at + LIMITS.lost_after_ms + 1)
    assert decision == ScheduleRetry(2, dispatched.at, "dispatched, but slow moved on without it", 0)


def test_running_is_waited_for_until_timeout_lease_and_margin_are_over():
    story = _running(Policy(timeout_seconds=10))
    deadline = story.facts[-1].at + 10_000 + LIMITS.stuck_margin_ms
    assert _decide(story, now=deadline - 1) == Wait(deadline)
    stuck = _decide(story, now=deadline)
    assert isinstance(stuck, ScheduleRetry)
    assert (stuck.attempt, stuck.failures, stuck.not_before) == (2, 1, deadline + 1000)
    assert _decide(story, now=deadline + 999_999) == stuck


def test_running_and_stuck_on_the_last_attempt_is_given_up():
    story = _running(Policy(max_attempts=1))
    assert isinstance(_decide(story, now=story.now + 10**9), GiveUp)


def test_failure_is_tried_again_counted_from_the_broker_s_time_of_the_failure():
    story = _running()
    failed = story.failed()
    decision = _decide(story, now=failed.at + 500_000)
    assert decision == ScheduleRetry(2, failed.at + 1000, "Boom", 1)
    assert _decide(story, now=0) == decision


def test_failure_that_cannot_be_mended_is_given_up():
    story = _running()
    story.failed(retryable=False)
    assert _decide(story) == GiveUp(1, "Boom: not retryable")


def test_failure_of_the_last_attempt_is_given_up():
    story = _running(Policy(max_attempts=2))
    story.failed()
    story.retry_scheduled(2)
    story.dispatched(2)
    story.started(2)
    story.failed(2)
    assert _decide(story) == GiveUp(2, "Boom: 2 of 2 attempts failed")


def test_failure_that_does_not_count_is_tried_again_even_on_the_last_attempt():
    story = _running(Policy(max_attempts=1))
    failed = story.failed(counted=False)
    assert _decide(story) == ScheduleRetry(2, failed.at + 1000, "Boom", 0)


def test_retry_waits_until_it_is_due():
    story = _running()
    story.failed()
    due = story.retry_scheduled(2).fact.not_before
    assert _decide(story, now=due - 1) == Wait(due)
    assert _decide(story, now=due) == Publish(2)
    story.dispatched(2)
    assert isinstance(_decide(story, now=due), AwaitStart)


@given(records(), st.integers(0, 2**45), st.integers(0, 2**45))
def test_decisions_are_pure_and_never_publish_what_has_ended_or_was_never_accepted(facts, now, started):
    memory = None
    for recorded in facts:
        memory = remember(memory, recorded)
        if isinstance(memory, Closed):
            return
        untouched = deepcopy(memory)
        decision = decide(memory, now, started, LIMITS)
        assert memory == untouched
        assert decide(deepcopy(memory), now, started, LIMITS) == decision
        if memory.progress.accepted_id is None:
            assert decision == Nothing()
        if isinstance(decision, Publish):
            assert decision.attempt == memory.progress.attempt
            assert memory.progress.state in (State.ACCEPTED, State.RETRY_SCHEDULED)
        if isinstance(decision, ScheduleRetry):
            assert decision.attempt == memory.progress.attempt + 1
        if isinstance(decision, Wait):
            assert decision.until > now


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(["fail", "not counted", "stuck", "lost"]), tokens), max_size=30),
)
def test_a_task_never_has_more_counted_failures_than_its_policy_allows(max_attempts, fates):
    """Dispatch's decisions are appended as it decides them, until it gives up or the fates run out."""
    policy = Policy(max_attempts=max_attempts)
    offset, at = 0, 1_700_000_000_000
    memory = remember(None, Recorded(Story(policy=policy).accepted().fact, offset, at))
    counted = 0

    def tell(fact) -> None:
        nonlocal offset, at, memory
        offset, at = offset + 1, at + 1000
        memory = remember(memory, Recorded(fact, offset, at))

    for fate, token in fates:
        attempt = memory.progress.attempt
        assert decide(memory, at + 10**8, 0, LIMITS) == Publish(attempt)
        tell(SCRIBE.dispatched(TASK, attempt, "q"))
        started_up_to = 0
        if fate == "lost":
            started_up_to = memory.dispatched_at + LIMITS.lost_after_ms + 1
        else:
            tell(SCRIBE.started(TASK, attempt, "w", token, False))
            counted += fate != "not counted"
        if fate in ("fail", "not counted"):
            outcome = Failed("Boom", "no luck", True, counted=fate == "fail")
            tell(SCRIBE.ended(TASK, attempt, "w", token, outcome, 1))
        decision = decide(memory, at + 10**9, started_up_to, LIMITS)
        assert counted <= max_attempts
        if counted == max_attempts:
            assert isinstance(decision, GiveUp)
            tell(SCRIBE.failed_permanently(TASK, decision))
            assert isinstance(memory, Closed)
            return
        assert isinstance(decision, ScheduleRetry)
        assert decision.failures == counted
        tell(SCRIBE.retry_scheduled(TASK, decision, policy))
        assert memory.progress.failures == counted


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_the_time_of_the_decision_does_not_matter_after_a_failure(delay, jitter):
    policy = Policy(jitter=jitter)
    story = _running(policy)
    failed = story.failed()
    decision = _decide(story, now=failed.at + delay)
    assert isinstance(decision, ScheduleRetry)
    assert decision.not_before == failed.at + delay_ms(policy, 1, story.task_id)


def test_a_late_outcome_moves_a_failed_task_no_further():
    story = _running()
    story.failed()
    before = _decide(story)
    story.tell(replace(story.facts[-1].fact, id="another"))
    assert _decide(story) == before


FURTHEST = 1_000_000


def _about_to_schedule(attempt: int, how: str) -> Decision:
    """What is decided about an attempt that a stranger has told of, however far ahead, once it has failed somehow."""
    story = Story(policy=Policy(max_attempts=3))
    story.accepted()
    if how == "lost":
        story.retry_scheduled(attempt, failures=2**53, not_before=0)
        story.failed(attempt)
        story.dispatched(attempt + 1 if attempt < FURTHEST else attempt)
        return _decide(story, started=story.now + LIMITS.lost_after_ms + 60_000)
    story.started(attempt)
    if how == "failed":
        story.failed(attempt)
    return _decide(story, now=story.now + 10_000_000)


@pytest.mark.parametrize("attempt", [900, FURTHEST - 1, FURTHEST])
@pytest.mark.parametrize("how", ["failed", "stuck", "lost"])
def test_what_is_decided_after_a_strangers_facts_can_be_read_again(attempt: int, how: str) -> None:
    decision = _about_to_schedule(attempt, how)
    if isinstance(decision, ScheduleRetry):
        fact = SCRIBE.retry_scheduled(TASK, decision, Policy())
        assert wire.decode(*wire.encode(fact)) == fact
    else:
        assert isinstance(decision, GiveUp)
        assert attempt >= FURTHEST - 1
