"""What has failed for good may be tried again if somebody asks for it, and every rule knows that. Not otherwise."""

from collections.abc import Callable

import pytest
from hypothesis import given

from streamapp.audit import Report, audit
from streamapp.audit.evidence import Line, Poll
from streamapp.audit.story import tell
from streamapp.domain.dispatch import ScheduleRetry
from streamapp.domain.facts import Recorded, Token
from streamapp.wire import facts
from tests.support.facts import records
from tests.unit.audit.history import POLICY, History


def report(history: History, **more: object) -> Report:
    return audit(history.evidence(**more))


def rules(history: History, **more: object) -> set[str]:
    return {finding.rule for finding in report(history, **more).findings}


def says(history: History, rule: str) -> list[str]:
    return [finding.says for finding in report(history).findings if finding.rule == rule]


def requeued() -> History:
    """Failed for good, and requeued; attempt 2 is due."""
    history = History()
    history.submitted()
    history.fell()
    history.requeued()
    return history


def succeed(history: History, attempt: int) -> None:
    history.handed_out("t", attempt)
    history.ran("t", attempt)
    history.completed("t", attempt)
    history.ack("t", attempt)


def test_a_task_that_was_requeued_and_completes_is_found_good() -> None:
    history = requeued()
    succeed(history, 2)
    found = report(history)
    assert found.findings == []
    assert found.counts["requeues"] == 1
    assert "terminal facts that do not count" not in found.counts


def test_a_task_that_was_requeued_twice_has_three_ends() -> None:
    history = requeued()
    history.fell("t", 2)
    history.requeued("t", "r2")
    succeed(history, 3)
    found = report(history)
    assert found.findings == []
    assert found.counts["requeues"] == 2


def test_a_requeue_gives_the_whole_policy_again() -> None:
    history = requeued()
    for attempt in (2, 3):
        history.handed_out("t", attempt)
        history.started("t", attempt)
        history.effect("begin", "t", attempt)
        failed = history.failed("t", attempt)
        history.ack("t", attempt)
        history.retry(failed, attempt + 1, attempt - 1)
    succeed(history, 4)
    assert report(history).findings == []


def test_given_up_after_the_requeue_though_most_failures_lie_before_it_is_objected_to() -> None:
    history = History()
    history.submitted()
    for attempt in (1, 2):
        history.handed_out("t", attempt)
        history.started("t", attempt)
        history.effect("begin", "t", attempt)
        history.retry(history.failed("t", attempt), attempt + 1, attempt)
    history.handed_out("t", 3)
    history.started("t", 3)
    history.effect("begin", "t", 3)
    history.failed("t", 3)
    history.given_up(3)
    history.requeued()
    history.handed_out("t", 4)
    history.started("t", 4)
    history.effect("begin", "t", 4)
    history.failed("t", 4)
    assert rules(history, drained=False) == set()
    history.given_up(4)
    assert says(history, "retries") == ["given up at attempt 4 after 1 failures of 3 allowed"]


def test_given_up_before_the_requeue_is_not_excused_by_what_fails_after_it() -> None:
    history = History()
    history.submitted()
    history.handed_out()
    history.started()
    history.effect("begin")
    history.failed()
    history.given_up(1)
    history.requeued()
    succeed(history, 2)
    assert says(history, "retries") == ["given up at attempt 1 after 1 failures of 3 allowed"]


def test_a_requeue_without_an_end_is_not_finished() -> None:
    history = requeued()
    assert says(history, "completeness") == ["has not ended: RETRY_SCHEDULED, attempt 2"]
    assert report(history, drained=False).counts["open, RETRY_SCHEDULED"] == 1


def test_the_same_request_again_opens_nothing() -> None:
    history = requeued()
    history.fell("t", 2)
    history.requeued()
    assert rules(history) == set()
    history.later(3_000)
    history.publish("t", 3)
    assert rules(history) == {"dispatching", "silence"}


def ran_again_without_a_requeue(history: History) -> None:
    succeed(history, 2)


def retry_was_scheduled_instead(history: History) -> None:
    due = history.log[-1].at
    history.tell(history.scribe.retry_scheduled("t", ScheduleRetry(2, due, "Boom", 1), POLICY))
    history.later(3_000)
    succeed(history, 2)


def requeued_too_late(history: History) -> None:
    history.handed_out("t", 2)
    history.ran("t", 2)
    history.requeued()
    history.completed("t", 2)


@pytest.mark.parametrize("broken", [ran_again_without_a_requeue, retry_was_scheduled_instead, requeued_too_late])
def test_a_run_after_a_permanent_failure_that_nobody_asked_for_is_objected_to(
    broken: Callable[[History], None],
) -> None:
    history = History()
    history.submitted()
    history.fell()
    history.later(3_000)
    broken(history)
    assert {"effects", "silence"} <= rules(history)


def test_a_run_of_the_attempt_that_was_given_up_is_objected_to_also_after_the_requeue() -> None:
    history = requeued()
    history.tell(history.scribe.started("t", 1, "w2", Token(1, 2), redelivered=True))
    history.effect("begin", "t", 1)
    succeed(history, 2)
    assert says(history, "effects") == ["attempt 1 ran after the end"]


def test_a_job_of_the_attempt_that_was_given_up_is_objected_to_also_after_the_requeue() -> None:
    history = requeued()
    history.later(3_000)
    history.publish("t", 1)
    succeed(history, 2)
    assert says(history, "silence") == ["attempt 1 published after its TaskDispatched"]


def test_an_outcome_from_before_the_requeue_ends_nothing() -> None:
    history = requeued()
    history.completed("t", 1)
    assert says(history, "completeness") == ["has not ended: RETRY_SCHEDULED, attempt 2"]
    succeed(history, 2)
    found = report(history)
    assert found.findings == []
    assert found.counts["terminal facts that do not count"] == 1


def test_a_job_that_is_published_before_it_was_requeued_is_objected_to() -> None:
    history = requeued()
    history.now -= 3_000
    history.publish("t", 2)
    history.now += 3_000
    history.dispatched("t", 2)
    history.ran("t", 2)
    history.completed("t", 2)
    assert says(history, "not before") == ["attempt 2 published before it was requeued"]


@pytest.mark.parametrize("steps", [(), ("completed",)])
def test_a_requeue_of_what_has_not_failed_has_no_effect(steps: tuple[str, ...]) -> None:
    history = History()
    history.submitted()
    history.handed_out()
    history.ran()
    for step in steps:
        getattr(history, step)()
    history.requeued()
    found = report(history, drained=False)
    assert found.findings == []
    assert found.counts["requeues without effect"] == 1
    history.publish("t", 2)
    assert "dispatching" in rules(history)


def test_a_requeue_of_what_nobody_accepted_has_no_effect() -> None:
    history = History()
    history.requeued("nobody")
    assert report(history).findings == []
    history.publish("nobody")
    assert rules(history) == {"dispatching"}


def test_a_requeue_skips_what_was_told_of_after_the_end() -> None:
    history = History()
    history.submitted()
    history.fell()
    due = history.log[-2].at + 1_000
    history.tell(history.scribe.retry_scheduled("t", ScheduleRetry(2, due, "Boom", 1), POLICY))
    history.requeued()
    history.later(2_000)
    succeed(history, 3)
    assert report(history).findings == []


def test_giving_up_an_attempt_from_before_the_requeue_ends_nothing() -> None:
    """Found by the property below: an attempt that was mentioned after the end, and given up after the requeue."""
    history = History()
    history.submitted()
    history.fell()
    due = history.log[-2].at + 1_000
    history.tell(history.scribe.retry_scheduled("t", ScheduleRetry(2, due, "Boom", 1), POLICY))
    history.requeued()
    history.given_up(2)
    assert says(history, "completeness") == ["has not ended: RETRY_SCHEDULED, attempt 3"]


def test_who_asks_may_see_a_failed_task_go_on_only_if_it_was_requeued() -> None:
    history = requeued()
    seen = [Poll(1, "t", "FAILED_PERMANENTLY", 1), Poll(2, "t", "RETRY_SCHEDULED", 2), Poll(3, "t", "RUNNING", 2)]
    assert "sessions" not in rules(history, polls=seen)
    assert "sessions" in rules(history, polls=[*seen, Poll(4, "t", "FAILED_PERMANENTLY", 1)])
    assert "sessions" in rules(history, polls=[seen[0], Poll(2, "t", "RUNNING", 1)])
    succeed(history, 2)
    assert "sessions" in rules(history, polls=[Poll(1, "t", "COMPLETED", 2), Poll(2, "t", "RUNNING", 3)])
    other = History()
    other.submitted()
    other.fell()
    assert "sessions" in rules(other, polls=seen)


@given(records().filter(bool))
def test_rounds_are_what_the_fold_makes_of_any_facts(told: list[Recorded]) -> None:
    """Two ways to the same end: the state machine, and the sentences of the design."""
    (story,) = tell(Line(0, item.offset, item.at, *facts.encode(item.fact)) for item in told).stories.values()
    progress, last = story.task.progress, story.rounds[-1]
    assert len(story.rounds) - 1 == progress.requeues
    assert (last.end is not None) == progress.terminal
    assert (None if last.end is None else last.end.at) == story.task.ended_at
    if progress.requeues:
        assert last.first == progress.first_attempt
    assert all(before.first < after.first for before, after in zip(story.rounds, story.rounds[1:], strict=False))
