"""The rule about a guard that has lost its memory."""

from streamapp.audit import audit
from streamapp.audit.evidence import Incident
from streamapp.audit.surroundings import GUARD_LOST
from tests.unit.audit.history import History


def findings(history: History) -> list[str]:
    return [finding.says for finding in audit(history.evidence()).findings if finding.rule == "guarded"]


def test_handler_that_runs_while_the_guard_has_no_memory_is_objected_to() -> None:
    history = History()
    lost = history.now
    history.later(2_000)
    history.whole()
    history.incidents.append(Incident(lost, history.later(), "FLUSHALL", "redis", GUARD_LOST))
    assert findings(history) == [f"attempt {attempt} ran while nobody guarded it" for attempt in (1, 2)]


def test_handlers_that_run_before_and_after_are_not() -> None:
    history = History()
    history.whole("before")
    lost = history.now
    history.incidents.append(Incident(lost, history.later(5_000), "FLUSHALL", "redis", GUARD_LOST))
    history.whole("after")
    assert findings(history) == []
