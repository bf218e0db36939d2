"""When a task may be given up: after as many failures as its policy allows, however they came to be known."""

from streamapp.audit import audit
from streamapp.domain.dispatch import ScheduleRetry
from tests.unit.audit.history import POLICY, History


def findings(history: History) -> list[str]:
    return [finding.says for finding in audit(history.evidence()).findings if finding.rule == "retries"]


def failed(history: History, attempt: int) -> None:
    history.handed_out("t", attempt)
    history.started("t", attempt)
    history.effect("begin", "t", attempt)


def test_attempt_that_failed_while_it_was_given_up_for_lost_counts() -> None:
    history = History()
    history.submitted()
    failed(history, 1)
    history.retry(history.failed("t", 1))
    failed(history, 2)
    history.failed("t", 2)
    lost = history.log[-3].at
    history.tell(history.scribe.retry_scheduled("t", ScheduleRetry(3, lost, "moved on without it", 1), POLICY))
    failed(history, 3)
    history.failed("t", 3)
    history.given_up(3)
    assert findings(history) == []


def test_task_given_up_after_two_of_three_failures_is_objected_to() -> None:
    history = History()
    history.submitted()
    failed(history, 1)
    history.retry(history.failed("t", 1))
    failed(history, 2)
    history.failed("t", 2)
    history.given_up(2)
    assert findings(history) == ["given up at attempt 2 after 2 failures of 3 allowed"]
