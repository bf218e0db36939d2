"""Every rule sees a history that keeps it, and objects to every history that breaks it."""

from collections.abc import Callable

import pytest

from streamapp.audit import audit
from streamapp.audit.evidence import Line, Poll, Wired
from streamapp.domain.facts import Origin, Token
from tests.unit.audit.history import History


def objections(history: History, **more: object) -> set[str]:
    return {finding.rule for finding in audit(history.evidence(**more)).findings}


def test_a_good_history_is_judged_and_found_good() -> None:
    history = History()
    for number in range(50):
        history.whole(f"t{number}")
    report = audit(history.evidence())
    assert report.findings == []
    judged = {name for name, verdict in report.verdicts.items() if verdict is not None and verdict.judged}
    assert judged == {
        *("acceptance", "no invention", "completeness", "retries", "effects"),
        *("dispatching", "silence", "not before", "acknowledgement", "confirmation"),
    }


def test_a_rule_without_its_evidence_is_not_judged() -> None:
    history = History()
    history.whole()
    report = audit(history.evidence(answers=None, effects=None, published=None, wire=None))
    names = {"acceptance", "effects", "dispatching", "silence", "acknowledgement", "confirmation"}
    names |= {"views", "sessions", "secrecy"}
    assert {name for name in names if report.verdicts[name] is None} == names


def lost_acceptance(history: History) -> None:
    history.answer("never-written")


def other_payload(history: History) -> None:
    history.accepted("t")
    history.answer("t", fingerprint="0" * 64)


def invented(history: History) -> None:
    history.accepted("t")


def accepted_though_refused(history: History) -> None:
    history.accepted("t")
    history.answer("t", "refused")


def accepted_though_invalid(history: History) -> None:
    history.accepted("t")
    history.answer("t", "invalid")


def never_ended(history: History) -> None:
    history.submitted()
    history.handed_out()


def nobody_accepted(history: History) -> None:
    history.handed_out()
    history.ran()
    history.completed()


def skipped_attempt(history: History) -> None:
    history.submitted()
    history.retry(history.failed(), attempt=3)


def retry_too_early(history: History) -> None:
    history.submitted()
    history.handed_out()
    history.started()
    history.retry(history.failed(), early_ms=1)


def one_attempt_too_many(history: History) -> None:
    history.submitted()
    for attempt in (1, 2, 3):
        history.started("t", attempt)
        history.retry(history.failed("t", attempt), attempt + 1, attempt)


def given_up_too_early(history: History) -> None:
    history.submitted()
    history.started()
    history.failed()
    history.given_up(1)


def ran_without_a_start(history: History) -> None:
    history.submitted()
    history.effect("begin")


def ran_twice_for_one_start(history: History) -> None:
    history.submitted()
    history.handed_out()
    history.ran()
    history.effect("begin")
    history.completed()


def ran_before_its_start(history: History) -> None:
    history.submitted()
    history.effect("begin")
    history.started()
    history.effect("end")
    history.completed()


def completed_without_effect(history: History) -> None:
    history.submitted()
    history.handed_out()
    history.started()
    history.effect("begin")
    history.completed()


def ran_after_the_end(history: History) -> None:
    history.submitted()
    history.handed_out()
    history.started()
    history.effect("begin")
    history.failed(retryable=False)
    history.given_up(1)
    history.tell(history.scribe.started("t", 1, "w2", Token(1, 2), redelivered=True))
    history.effect("begin")


def published_twice(history: History) -> None:
    history.submitted()
    history.publish()
    history.later(3_000)
    history.publish()
    history.dispatched()


def published_for_nobody(history: History) -> None:
    history.publish("stranger")


def retry_out_of_nothing(history: History) -> None:
    history.submitted()
    history.publish("t", 2)


def dispatched_without_a_job(history: History) -> None:
    history.submitted()
    history.dispatched()


def published_after_its_fact(history: History) -> None:
    history.submitted()
    history.handed_out()
    history.later(5_000)
    history.publish()


def published_after_the_end(history: History) -> None:
    history.whole()
    history.later(5_000)
    history.publish("t", 2)


def published_before_its_time(history: History) -> None:
    history.submitted()
    history.handed_out()
    history.started()
    history.retry(history.failed())
    history.now -= 3_000
    history.publish("t", 2)


def acked_before_the_outcome(history: History) -> None:
    history.submitted()
    history.handed_out()
    history.ran()
    history.ack()
    history.completed()


def dispatched_on_a_guess(history: History) -> None:
    history.submitted()
    history.publish("t", 1, "silence")
    history.dispatched()


def dispatched_before_its_confirm(history: History) -> None:
    history.submitted()
    history.dispatched()
    history.publish()


def dispatched_though_returned(history: History) -> None:
    history.submitted()
    history.publish("t", 1, "return", "confirm")
    history.dispatched()


def dispatched_though_refused(history: History) -> None:
    history.submitted()
    history.publish("t", 1, "refuse")
    history.dispatched()


def wire_not_understood(history: History) -> None:
    history.wire.append(Wired(history.now, "unparsed", 1, detail="down: no frame begins with 47455420"))


BROKEN: list[tuple[str, Callable[[History], None]]] = [
    ("acceptance", lost_acceptance),
    ("acceptance", other_payload),
    ("no invention", invented),
    ("no invention", accepted_though_refused),
    ("no invention", accepted_though_invalid),
    ("completeness", never_ended),
    ("completeness", nobody_accepted),
    ("retries", skipped_attempt),
    ("retries", retry_too_early),
    ("retries", one_attempt_too_many),
    ("retries", given_up_too_early),
    ("effects", ran_without_a_start),
    ("effects", ran_twice_for_one_start),
    ("effects", ran_before_its_start),
    ("effects", completed_without_effect),
    ("effects", ran_after_the_end),
    ("dispatching", published_twice),
    ("dispatching", published_for_nobody),
    ("dispatching", retry_out_of_nothing),
    ("dispatching", dispatched_without_a_job),
    ("silence", published_after_its_fact),
    ("silence", published_after_the_end),
    ("not before", published_before_its_time),
    ("acknowledgement", acked_before_the_outcome),
    ("acknowledgement", wire_not_understood),
    ("confirmation", dispatched_on_a_guess),
    ("confirmation", dispatched_before_its_confirm),
    ("confirmation", dispatched_though_returned),
    ("confirmation", dispatched_though_refused),
]


@pytest.mark.parametrize(("rule", "broken"), BROKEN, ids=lambda item: getattr(item, "__name__", item))
def test_a_broken_history_is_objected_to(rule: str, broken: Callable[[History], None]) -> None:
    history = History()
    history.whole("neighbour")
    broken(history)
    report = audit(history.evidence())
    assert rule in {finding.rule for finding in report.findings}
    assert all("neighbour" not in str(finding) for finding in report.findings)


def test_unknown_is_neither_accepted_nor_failed() -> None:
    history = History()
    history.answer("never-written", "unknown")
    history.whole("t")
    history.answers.clear()
    history.answer("t", "unknown")
    history.answer("never-written", "unknown")
    report = audit(history.evidence())
    assert report.findings == []
    assert report.counts["unknown answers that came true"] == 1


@pytest.mark.parametrize("target", ["dispatch", "rabbitmq", "kafka", "all"])
def test_a_fault_between_confirm_and_fact_explains_a_second_job(target: str) -> None:
    history = History()
    history.submitted()
    history.publish()
    history.later(1_500)
    history.fault(target, before_ms=200)
    history.later(1_500)
    history.publish()
    history.dispatched()
    history.ran()
    history.completed()
    report = audit(history.evidence())
    assert report.findings == []
    assert report.counts["jobs published again"] == 1


def test_a_fault_elsewhere_or_long_ago_explains_nothing() -> None:
    history = History()
    history.fault("dispatch")
    history.later(60_000)
    published_twice(history)
    history.fault("redis", before_ms=2_000)
    assert "dispatching" in objections(history)


def test_a_job_that_was_returned_first_is_confirmed_by_its_next_publication() -> None:
    history = History()
    history.submitted()
    history.publish("t", 1, "return", "confirm")
    history.fault("rabbitmq")
    history.publish()
    history.dispatched()
    history.ran()
    history.completed()
    assert audit(history.evidence()).findings == []


def test_a_zombie_is_counted_and_its_late_outcome_does_not_end_the_task_again() -> None:
    history = History()
    history.submitted()
    history.handed_out()
    history.ran(claim=1)
    history.ran(claim=2)
    history.completed(claim=2)
    history.completed(claim=1)
    report = audit(history.evidence())
    assert report.findings == []
    assert report.counts["terminal facts that do not count"] == 1
    assert report.counts["runs beyond the first of an attempt"] == 1


def test_a_producer_whose_event_is_in_no_task_is_told_about() -> None:
    history = History()
    history.accepted("e1", Origin("event", "t", 0, 0))
    history.ran("e1")
    history.completed("e1")
    found = audit(history.evidence(events=frozenset({"e1", "e2"}))).findings
    assert [(finding.rule, finding.task_id) for finding in found] == [("acceptance", "e2")]


def test_views_name_the_first_difference() -> None:
    history = History()
    good = {"tasks": {b"a": b"1", b"b": b"2"}, "totals": {}}
    assert objections(history, views=good, expected=good) == set()
    for bad in ({b"a": b"1"}, {b"a": b"1", b"b": b"3"}, {b"a": b"1", b"b": b"2", b"c": b"4"}):
        found = audit(history.evidence(views={"tasks": bad, "totals": {}}, expected=good)).findings
        assert [finding.rule for finding in found] == ["views"]
        assert found[0].task_id == ("c" if b"c" in bad else "b")


def test_nobody_sees_a_task_go_back() -> None:
    history = History()
    forward = [Poll(1, "t", "RUNNING", 1), Poll(2, "t", "FAILED", 1), Poll(3, "t", "COMPLETED", 2)]
    assert objections(history, polls=forward) == set()
    assert objections(history, polls=[*forward, Poll(4, "t", "RUNNING", 2)]) == {"sessions"}
    assert objections(history, polls=[Poll(1, "t", "RUNNING", 2), Poll(2, "t", "RUNNING", 1)]) == {"sessions"}


def test_bad_records_are_set_aside_and_no_others() -> None:
    history = History()
    history.whole()
    history.log.append(Line(0, len(history.log), history.now, b"garbage", b"\xff"))
    place = (0, len(history.log) - 1)
    assert objections(history, bad=frozenset({place})) == set()
    assert objections(history, bad=frozenset()) == {"quarantine"}
    assert objections(history, bad=frozenset({place, (0, 0)})) == {"quarantine"}


def test_a_secret_is_found() -> None:
    history = History()
    texts = {"log": b"all is well", "page": b"<b>hunter2</b>"}
    assert objections(history, canaries=("swordfish",), texts=texts) == set()
    assert objections(history, canaries=("hunter2",), texts=texts) == {"secrecy"}
