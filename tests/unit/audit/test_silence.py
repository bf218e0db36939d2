"""Jobs that come after the diary has told of them, or after the end: a crash of dispatch is no excuse for the first."""

from msgspec.structs import replace

from streamapp.audit import audit
from streamapp.audit.evidence import Incident
from tests.unit.audit.history import History


def findings(history: History) -> list[str]:
    return [finding.says for finding in audit(history.evidence()).findings if finding.rule == "silence"]


def fault(history: History, since: int, target: str = "dispatch") -> None:
    history.incidents.append(Incident(since, history.now, "fault", target))


def test_replay_that_publishes_again_is_objected_to_whatever_was_done_to_dispatch() -> None:
    history = History()
    history.submitted()
    history.handed_out()
    history.later(3_000)
    begun = history.now
    history.later(8_000)
    fault(history, begun)
    history.publish()
    assert findings(history) == ["attempt 1 published after its TaskDispatched"]


def test_dispatcher_that_stood_still_may_hand_out_what_its_successor_has_told() -> None:
    history = History()
    history.submitted()
    begun = history.now
    history.handed_out()
    history.later(10_000)
    fault(history, begun)
    history.publish()
    assert findings(history) == []


def test_job_published_again_after_a_crash_may_come_after_the_end() -> None:
    history = History()
    history.submitted()
    history.publish()
    history.later(1_000)
    fault(history, history.now - 500)
    history.ran()
    history.completed()
    history.later(8_000)
    history.publish()
    history.dispatched()
    assert findings(history) == []


def test_job_published_again_after_the_end_without_a_fault_is_objected_to() -> None:
    history = History()
    history.submitted()
    history.publish()
    history.ran()
    history.completed()
    history.later(8_000)
    history.publish()
    history.dispatched()
    assert findings(history) == ["attempt 1 published after the end of the task"]


def test_job_from_the_future_is_counted_and_not_judged() -> None:
    """A dispatcher whose clock is an hour ahead tells the wrong time until Kafka has told it the right one."""
    history = History()
    history.whole()
    first = history.published[0]
    history.published[0] = replace(first, at=first.at + 3_600_000)
    report = audit(history.evidence())
    assert report.findings == []
    assert report.counts["jobs with a time that has not come yet"] == 1
