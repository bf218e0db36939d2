"""Which claims the diary makes the guard remember again."""

import pytest

from streamapp.domain.facts import Token
from streamapp.domain.task import MAX_HISTORY
from streamapp.guard import ClaimRecord, claims_of, next_epoch
from tests.support.story import START, Story

WEEK_MS = 7 * 86_400_000
NOW = START + 60_000


def record_of(story: Story, now_ms: int = NOW) -> ClaimRecord | None:
    return claims_of(story.task, now_ms, WEEK_MS)


def test_task_that_nobody_started_needs_no_claim() -> None:
    story = Story()
    story.accepted()
    story.dispatched()
    assert record_of(story) is None


def test_running_attempt_is_open_and_names_its_worker() -> None:
    story = Story()
    story.accepted()
    story.started(claim=1, worker="w1")
    story.started(claim=2, worker="w2")
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 2), False, False, 0, "w2")


@pytest.mark.parametrize("known", [True, False])
def test_attempt_that_failed_has_ended(known: bool) -> None:
    story = Story()
    story.accepted()
    story.started()
    failed = story.failed()
    if known:
        story.retry_scheduled(2)
        story.dispatched(2)
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 1), True, False, failed.at, "w1")


def test_attempt_given_up_by_dispatch_without_an_outcome_is_open() -> None:
    story = Story()
    story.accepted()
    story.started()
    story.retry_scheduled(2)
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 1), False, False, 0, "w1")


@pytest.mark.parametrize("late", [True, False])
def test_attempt_that_ended_before_the_task_was_requeued_has_ended_without_success(late: bool) -> None:
    story = Story()
    story.accepted()
    story.started()
    ended = story.failed(retryable=False) if not late else None
    story.failed_permanently()
    ended = ended or story.completed()
    story.requeued()
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 1), True, False, ended.at, "w1")
    assert record_of(story, NOW + 2 * WEEK_MS) is not None, "the task is open: nothing of it is too old"
    story.dispatched(2)
    story.started(2, claim=2)
    assert record_of(story) == ClaimRecord("task-1", 2, Token(1, 2), False, False, 0, "w1")


def test_attempt_given_up_without_an_outcome_is_not_opened_by_a_requeue() -> None:
    story = Story()
    story.accepted()
    story.started()
    story.failed_permanently()
    story.requeued()
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 1), True, False, NOW, "w1")
    story.dispatched(2)
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 1), True, False, NOW, "w1")


def test_late_outcome_of_a_zombie_does_not_end_its_heirs_attempt() -> None:
    story = Story()
    story.accepted()
    story.started(claim=1, worker="zombie")
    story.started(claim=2, worker="heir")
    story.completed(claim=1, worker="zombie")
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 2), False, False, 0, "heir")


def test_late_failure_of_a_zombie_does_not_end_its_heirs_attempt() -> None:
    """The failure counts, because it was recorded before the heir's start; the heir is running all the same."""
    story = Story()
    story.accepted()
    story.started(claim=1, worker="zombie")
    story.failed(claim=1, worker="zombie")
    story.started(claim=2, worker="heir")
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 2), False, False, 0, "heir")


def test_failure_that_the_history_had_no_room_for_has_ended_its_attempt() -> None:
    story = Story()
    story.accepted()
    story.started()
    for _ in range(MAX_HISTORY):
        story.rejected(str(len(story.facts)).encode())
    story.failed()
    record = record_of(story)
    assert record is not None
    assert record.ended
    assert record.ended_at_ms == story.task.history[-1].at


def test_completed_task_has_succeeded() -> None:
    story = Story()
    story.accepted()
    story.started()
    completed = story.completed()
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 1), True, True, completed.at, "w1")


def test_task_given_up_has_ended_without_success() -> None:
    story = Story()
    story.accepted()
    story.started()
    story.failed(retryable=False)
    given_up = story.failed_permanently()
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 1), True, False, given_up.at, "w1")


def test_doomed_attempt_without_a_second_start_has_ended() -> None:
    """Its outcome carries a token above the last start's."""
    story = Story()
    story.accepted()
    story.started(claim=1)
    failed = story.failed(claim=2, worker="w2", retryable=False)
    assert record_of(story) == ClaimRecord("task-1", 1, Token(1, 2), True, False, failed.at, "")


def test_ended_task_is_forgotten_after_the_retention() -> None:
    story = Story()
    story.accepted()
    story.started()
    completed = story.completed()
    assert record_of(story, completed.at + WEEK_MS - 1) is not None
    assert record_of(story, completed.at + WEEK_MS) is None


def test_open_task_is_never_forgotten() -> None:
    story = Story()
    story.accepted()
    story.started()
    story.failed()
    story.retry_scheduled()
    assert record_of(story, NOW + 10 * WEEK_MS) is not None


def test_next_epoch_is_above_every_token() -> None:
    assert next_epoch([]) == 1
    one, two = Story("a"), Story("b")
    one.started(epoch=3)
    one.started(epoch=5, claim=2)
    two.accepted()
    assert next_epoch([one.task, two.task]) == 6
