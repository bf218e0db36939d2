"""Lives of tasks, told fact by fact."""

import pytest

from streamapp.domain.facts import Token
from streamapp.domain.outbox import Closed, Open
from streamapp.domain.policy import Policy
from streamapp.domain.progress import State
from tests.support.story import START, Story


def test_a_normal_life():
    story = Story()
    states = []
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
        states.append(story.task.state)
    assert states == [State.ACCEPTED, State.DISPATCHED, State.RUNNING, State.COMPLETED]
    assert story.anomalies == []
    assert (story.task.accepted_at, story.task.ended_at) == (START, START + 3000)
    assert story.memory == Closed(3, story.facts[0].fact.id, State.COMPLETED)


def test_fails_once_then_succeeds():
    story = Story()
    story.accepted({"to": "a@b"})
    story.dispatched()
    story.started()
    story.failed()
    assert story.task.state is State.FAILED
    assert story.task.progress.failures == 1
    story.retry_scheduled(2, not_before=START + 60_000)
    assert story.task.state is State.RETRY_SCHEDULED
    assert story.task.not_before == START + 60_000
    assert isinstance(story.memory, Open)
    assert story.memory.payload == {"to": "a@b"}
    story.dispatched(2)
    assert story.task.not_before is None
    story.started(2)
    story.completed(2, result={"ok": True})
    assert story.task.state is State.COMPLETED
    assert story.task.result == {"ok": True}
    assert story.anomalies == []


def test_fails_for_good():
    story = Story(policy=Policy(max_attempts=1))
    story.accepted()
    story.dispatched()
    story.started()
    story.failed()
    story.failed_permanently()
    assert story.task.state is State.FAILED_PERMANENTLY
    assert story.task.result is None
    assert story.anomalies == []


def test_worker_crashed_and_another_one_started_the_same_attempt():
    story = Story()
    story.accepted()
    story.dispatched()
    story.started(claim=1, worker="w1")
    story.started(claim=2, worker="w2")
    assert story.task.progress.tokens == {1: Token(1, 2)}
    story.completed(claim=2, worker="w2")
    assert story.task.state is State.COMPLETED
    assert story.anomalies == []
    assert [entry.worker for entry in story.task.history if entry.fact == "TaskExecutionStarted"] == ["w1", "w2"]


def test_zombie_outcome_with_a_lower_token_does_not_count():
    story = Story()
    story.accepted()
    story.dispatched()
    story.started(claim=1, worker="w1")
    story.started(claim=2, worker="w2")
    story.completed(claim=1, worker="w1", result="zombie")
    assert story.task.state is State.RUNNING
    assert "highest token" in story.anomalies[0]
    story.failed(claim=2, worker="w2")
    assert story.task.state is State.FAILED


def test_zombie_start_with_a_lower_token_does_not_count():
    story = Story()
    story.accepted()
    story.dispatched()
    story.started(claim=2, worker="w2")
    running_since = story.memory.changed_at
    story.started(claim=1, worker="w1")
    assert story.task.progress.tokens == {1: Token(1, 2)}
    assert len(story.anomalies) == 1
    assert story.memory.changed_at == running_since


def test_a_higher_epoch_beats_any_claim_number():
    story = Story()
    story.accepted()
    story.started(claim=9, epoch=1)
    story.started(claim=1, epoch=2)
    story.completed(claim=9)
    assert story.task.state is State.RUNNING


@pytest.mark.parametrize("ended", [False, True])
def test_dispatched_after_the_start_or_the_end_is_no_anomaly(ended):
    story = Story()
    story.accepted()
    story.started()
    if ended:
        story.completed()
    story.dispatched()
    assert story.task.state is (State.COMPLETED if ended else State.RUNNING)
    assert story.anomalies == []


def test_rejected_then_accepted():
    story = Story()
    story.rejected()
    assert story.task.state is State.REJECTED
    story.accepted()
    assert story.task.state is State.ACCEPTED
    assert story.task.progress.attempt == 1
    assert story.anomalies == []


def test_rejected_never_alters_an_accepted_task():
    story = Story()
    story.accepted()
    story.rejected()
    assert story.task.state is State.ACCEPTED
    assert len(story.anomalies) == 1


def test_accepted_twice_with_another_payload_keeps_the_first():
    story = Story()
    story.accepted({"n": 1})
    story.accepted({"n": 2})
    assert story.task.payload == {"n": 1}
    assert "first acceptance holds" in story.anomalies[0]
    assert story.memory.payload == {"n": 1}


def test_accepted_twice_alike_is_one_fact():
    story = Story()
    story.again(story.accepted({"n": 1}))
    assert story.task.duplicates == 1
    assert len(story.task.history) == 1
    assert story.anomalies == []


def test_accepted_again_after_the_end_is_known_to_be_late():
    story = Story()
    story.accepted({"n": 1})
    story.started()
    story.completed()
    story.accepted({"n": 2})
    assert story.task.state is State.COMPLETED
    assert isinstance(story.memory, Closed)
    assert story.memory.accepted_id == story.facts[0].fact.id


def test_completed_by_a_superseded_attempt_counts():
    story = Story()
    story.accepted()
    story.dispatched()
    story.started()
    story.retry_scheduled(2)
    story.completed(1, result="late, but done")
    assert story.task.state is State.COMPLETED
    assert story.task.result == "late, but done"
    assert len(story.anomalies) == 1


def test_failed_by_a_superseded_attempt_does_not_count():
    story = Story()
    story.accepted()
    story.dispatched()
    story.started()
    story.retry_scheduled(2, failures=1)
    story.failed(1)
    assert story.task.state is State.RETRY_SCHEDULED
    assert story.task.progress.failures == 1


def test_the_first_terminal_fact_wins():
    story = Story()
    story.accepted()
    story.started()
    story.failed()
    story.failed_permanently()
    story.started(claim=2)
    story.completed(claim=2, result="too late")
    assert story.task.state is State.FAILED_PERMANENTLY
    assert story.task.result is None
    assert len(story.anomalies) == 2


def test_a_second_outcome_of_an_attempt_does_not_count_twice():
    story = Story()
    story.accepted()
    story.started(claim=1)
    story.failed(claim=1)
    story.started(claim=2)
    story.failed(claim=2)
    assert story.task.progress.failures == 1
    assert len(story.anomalies) == 2


def test_a_failure_that_is_not_counted_leaves_the_attempts_alone():
    story = Story()
    story.accepted()
    story.dispatched()
    story.started()
    story.failed(counted=False)
    assert story.task.state is State.FAILED
    assert story.task.progress.failures == 0


def test_job_too_old_to_be_run_is_reported_without_a_start_and_moves_the_task_on():
    story = Story()
    story.accepted()
    story.dispatched()
    story.failed(counted=False)
    assert story.task.state is State.FAILED
    assert story.anomalies == []


def test_an_outcome_whose_start_is_missing_counts_and_is_marked():
    """`system.md`: an outcome counts with the highest token folded for its attempt; its own is the highest."""
    story = Story()
    story.accepted()
    story.dispatched()
    story.completed(result=1)
    assert story.task.state is State.COMPLETED
    assert len(story.anomalies) == 1
    story.started()
    story.again(story.facts[2])
    assert story.task.state is State.COMPLETED


def test_facts_of_a_task_that_was_never_accepted_are_kept_and_marked():
    story = Story()
    story.dispatched()
    story.started()
    assert story.task.state is State.RUNNING
    assert all("never accepted" in reason for reason in story.anomalies)
    story.accepted()
    assert story.task.state is State.RUNNING
    assert "should have followed" in story.anomalies[-1]


def test_retry_out_of_order_still_says_when_it_is_due():
    story = Story()
    story.accepted()
    story.retry_scheduled(4, not_before=START + 9000)
    assert story.task.state is State.RETRY_SCHEDULED
    assert story.task.not_before == START + 9000
    assert len(story.anomalies) == 1


def test_an_attempt_that_nothing_announced_is_timed_from_its_own_dispatch():
    story = Story()
    story.accepted()
    story.dispatched(1, "slow")
    third = story.dispatched(3, "fast")
    assert (story.memory.dispatched_at, story.memory.queue) == (third.at, "fast")


def test_a_repeated_start_does_not_restart_the_clock():
    story = Story()
    story.accepted()
    started = story.started()
    story.again(started)
    assert story.memory.changed_at == started.at


def test_a_retry_decided_from_fewer_failures_does_not_lower_the_count():
    story = Story()
    story.accepted()
    story.started()
    story.failed()
    story.retry_scheduled(2, failures=0)
    assert story.task.progress.failures == 1
    story.retry_scheduled(3, failures=3)
    assert story.task.progress.failures == 3


def test_a_token_that_two_workers_claim_to_hold_is_kept_as_an_anomaly():
    story = Story()
    story.accepted()
    first = story.started(worker="w1")
    story.started(worker="w2")
    assert len(story.anomalies) == 1
    assert story.memory.changed_at == first.at
