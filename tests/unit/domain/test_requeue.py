"""Lives of tasks that were requeued, told fact by fact: what opens a new attempt, and what never does."""

import pytest

from streamapp.domain.dispatch import GiveUp, Limits, Publish, ScheduleRetry, decide
from streamapp.domain.facts import Recorded
from streamapp.domain.outbox import Closed, Open, later, remember
from streamapp.domain.policy import LAST_ATTEMPT, Policy
from streamapp.domain.progress import MAX_REQUEUES_REMEMBERED, State
from tests.support.story import Story

LIMITS = Limits()


def _failed(attempts: int = 1, policy: Policy | None = None) -> Story:
    """A task that has failed for good."""
    story = Story(policy=policy or Policy(max_attempts=attempts))
    story.accepted({"n": 1}, traceparent="00-trace")
    for attempt in range(1, attempts + 1):
        _run(story, attempt)
    story.failed_permanently(attempts)
    return story


def _run(story: Story, attempt: int) -> None:
    """An attempt that fails; a retry is scheduled before it, unless it is the first of a round."""
    if story.task.progress.attempt < attempt:
        story.retry_scheduled(attempt, failures=story.task.progress.failures)
    story.dispatched(attempt)
    story.started(attempt)
    story.failed(attempt)


def test_requeued_after_a_permanent_failure_opens_the_next_attempt_at_once():
    story = _failed(3)
    requeued = story.requeued(actor="ann", reason="the mail server is back")
    task = story.task
    assert (task.state, task.progress.attempt, task.progress.failures) == (State.RETRY_SCHEDULED, 4, 0)
    assert (task.ended_at, task.not_before, task.requeues, task.progress.first_attempt) == (None, requeued.at, 1, 4)
    assert story.anomalies == []
    last = task.history[-1]
    assert (last.fact, last.attempt, last.worker) == ("TaskRequeued", 4, None)
    assert last.detail == {"actor": "ann", "reason": "the mail server is back"}
    assert isinstance(story.memory, Open)
    assert decide(story.memory, 0, 0, LIMITS) == Publish(4)


def test_requeued_keeps_what_the_job_needs():
    story = _failed(2)
    assert isinstance(story.memory, Closed)
    assert story.memory.kept is not None
    story.requeued()
    memory = story.memory
    assert isinstance(memory, Open)
    assert (memory.type, memory.payload, memory.traceparent) == ("EMAIL", {"n": 1}, "00-trace")
    assert (memory.policy, memory.queue, memory.dispatched_at, memory.error) == (story.policy, None, 0, None)


def test_requeued_has_all_the_attempts_of_its_policy_again():
    story = _failed(2)
    story.requeued()
    _run(story, 3)
    decision = decide(story.memory, story.now, 0, LIMITS)
    assert decision == ScheduleRetry(4, story.facts[-1].at + 1000, "Boom", 1)
    _run(story, 4)
    assert decide(story.memory, story.now, 0, LIMITS) == GiveUp(4, "Boom: 2 of 2 attempts failed")
    story.failed_permanently(4)
    assert story.task.state is State.FAILED_PERMANENTLY
    assert story.task.ended_at == story.facts[-1].at
    story.requeued("r2")
    assert (story.task.progress.attempt, story.task.requeues) == (5, 2)
    assert story.anomalies == []


def test_what_was_not_retryable_may_be_retried_after_a_requeue():
    story = Story(policy=Policy(max_attempts=2))
    story.accepted()
    story.dispatched()
    story.started()
    story.failed(retryable=False)
    story.failed_permanently()
    story.requeued()
    _run(story, 2)
    assert isinstance(decide(story.memory, story.now, 0, LIMITS), ScheduleRetry)


def test_requeued_and_stuck_counts_from_the_requeue():
    story = _failed(2)
    story.requeued()
    story.dispatched(3)
    story.started(3)
    assert isinstance(decide(story.memory, story.now + 10**9, 0, LIMITS), ScheduleRetry)


def test_requeued_and_completed_is_over_for_good():
    story = _failed()
    story.requeued()
    story.dispatched(2)
    story.started(2)
    story.completed(2, result="at last")
    assert (story.task.state, story.task.result) == (State.COMPLETED, "at last")
    assert isinstance(story.memory, Closed)
    assert story.memory.kept is None
    story.requeued("r2")
    assert story.task.state is State.COMPLETED
    assert story.task.requeues == 1
    assert isinstance(story.memory, Closed)


def test_the_same_request_opens_nothing_a_second_time_even_after_another_failure():
    story = _failed()
    first = story.requeued("r1")
    _run(story, 2)
    story.failed_permanently(2)
    story.again(first)
    story.requeued("r1")
    assert (story.task.state, story.task.requeues, story.task.duplicates) == (State.FAILED_PERMANENTLY, 1, 2)
    assert isinstance(story.memory, Closed)
    story.requeued("r2")
    assert story.task.state is State.RETRY_SCHEDULED
    assert isinstance(story.memory, Open)


def test_a_request_that_came_too_early_does_nothing_when_it_is_repeated():
    """Its first answer holds, as with every request that is made twice."""
    story = Story(policy=Policy(max_attempts=1))
    story.accepted()
    story.requeued("r1")
    _run(story, 1)
    story.failed_permanently()
    story.requeued("r1")
    assert story.task.state is State.FAILED_PERMANENTLY
    assert story.task.duplicates == 1
    assert isinstance(story.memory, Closed)


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ([], "never accepted"),
        (["rejected"], "never accepted"),
        (["accepted"], "ACCEPTED"),
        (["accepted", "dispatched"], "DISPATCHED"),
        (["accepted", "started"], "RUNNING"),
        (["accepted", "started", "failed"], "FAILED"),
        (["accepted", "retry_scheduled"], "RETRY_SCHEDULED"),
        (["accepted", "started", "completed"], "COMPLETED"),
        (["failed_permanently"], "never accepted"),
    ],
)
def test_requeue_of_anything_else_is_kept_as_an_anomaly_and_does_nothing(steps, word):
    story = Story()
    for step in steps:
        getattr(story, step)()
    before = (story.task.state, story.task.progress.attempt, story.task.ended_at) if steps else (State.UNKNOWN, 0, None)
    story.requeued()
    task = story.task
    assert (task.state, task.progress.attempt, task.ended_at) == before
    assert word in story.anomalies[-1]
    assert (task.requeues, task.history[-1].fact, task.history[-1].attempt) == (0, "TaskRequeued", None)


def test_what_was_never_accepted_may_still_be():
    story = Story()
    story.requeued()
    story.accepted()
    assert story.task.state is State.ACCEPTED
    assert decide(story.memory, 0, 0, LIMITS) == Publish(1)


def test_an_outcome_from_before_the_requeue_does_not_count():
    story = _failed(2)
    story.requeued()
    story.started(2, claim=2)
    story.completed(2, claim=2, result="zombie")
    assert (story.task.state, story.task.progress.attempt) == (State.RETRY_SCHEDULED, 3)
    assert "a requeue had opened attempt 3" in story.anomalies[0]
    assert "from before the task was requeued" in story.anomalies[1]
    assert story.memory.progress == story.task.progress


def test_late_words_of_dispatch_about_the_former_round_change_nothing():
    story = _failed(2)
    story.requeued()
    before = story.memory
    for repeated in (story.dispatched, story.retry_scheduled, story.failed_permanently):
        repeated(2)
    assert story.task.duplicates == 3
    assert (story.task.state, story.task.progress.attempt, story.task.progress.failures) == (
        State.RETRY_SCHEDULED,
        3,
        0,
    )
    assert story.memory.progress == before.progress == story.task.progress


def test_attempts_told_of_after_the_end_are_not_opened_again():
    """Two dispatchers at once: one gives up, the other one schedules another attempt. Facts of it have ids already."""
    story = _failed(2)
    stray = story.retry_scheduled(3)
    story.requeued()
    assert story.task.progress.attempt == 4
    story.again(stray)
    assert story.task.progress.attempt == story.memory.progress.attempt == 4


def test_the_last_attempt_there_can_be_is_not_exceeded():
    story = Story()
    story.accepted()
    story.failed_permanently(LAST_ATTEMPT)
    story.requeued()
    assert story.task.state is State.FAILED_PERMANENTLY
    assert "is the last one there can be" in story.anomalies[-1]


def test_so_many_requests_are_remembered_and_no_more():
    story = _failed()
    for number in range(MAX_REQUEUES_REMEMBERED + 20):
        story.requeued(f"r{number}")
    assert len(story.task.progress.requeued) == MAX_REQUEUES_REMEMBERED
    assert story.memory.progress == story.task.progress
    assert story.task.requeues == 1


def test_a_row_of_an_earlier_version_cannot_be_opened():
    story = _failed()
    old = Closed(story.memory.offset, story.memory.accepted_id, State.FAILED_PERMANENTLY)
    requeued = story.requeued()
    after = remember(old, requeued)
    assert after == Closed(requeued.offset, old.accepted_id, State.FAILED_PERMANENTLY)


def test_of_two_rows_the_one_that_knows_more_holds():
    story = _failed()
    closed = story.memory
    requeued = story.requeued()
    opened = story.memory
    assert isinstance(opened, Open)
    assert later(closed, opened) is opened
    assert later(closed, None) is closed
    assert later(None, opened) is opened
    stale = Open("task-1", offset=1)
    assert later(closed, stale) is closed
    assert remember(opened, Recorded(requeued.fact, requeued.offset, requeued.at)) is opened
