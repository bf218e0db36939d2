"""Runs after the end: none without a fault that parted a worker from its claim."""

import pytest

from streamapp.audit import audit
from streamapp.audit.evidence import Incident
from tests.unit.audit.history import History


def told_by_a_zombie(*targets: str, next_claim: int = 2) -> History:
    """A worker loses its claim and tells its outcome all the same, before the next one has told its start."""
    history = History()
    history.submitted()
    history.handed_out()
    history.ran(claim=1)
    history.completed(claim=1)
    history.ran(claim=next_claim)
    history.completed(claim=next_claim)
    begin = history.log[0].at
    history.incidents += [Incident(begin, history.later(), "SIGSTOP", target) for target in targets]
    return history


def findings(history: History) -> list[str]:
    return [finding.says for finding in audit(history.evidence()).findings if finding.rule == "effects"]


@pytest.mark.parametrize("target", ["worker", "redis", "all"])
def test_a_later_claim_may_run_after_a_zombies_outcome(target: str) -> None:
    history = told_by_a_zombie(target)
    assert findings(history) == []
    assert audit(history.evidence()).counts["runs after the end that a zombie had told"] == 1


@pytest.mark.parametrize("targets", [(), ("dispatch",), ("kafka",)])
def test_without_a_fault_that_parts_worker_and_claim_it_is_objected_to(targets: tuple[str, ...]) -> None:
    assert findings(told_by_a_zombie(*targets)) == ["attempt 1 ran after the end"]


def test_an_earlier_claim_may_not_run_after_the_end() -> None:
    assert findings(told_by_a_zombie("worker", next_claim=0)) == ["attempt 1 ran after the end"]
