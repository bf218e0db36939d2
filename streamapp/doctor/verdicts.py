"""What a check says: a verdict, a line about what was found, what to do, and the witnesses.

In: findings. Out: values for people and programs. A finding is explained where a rule of the system says what happens
next and by when; then it is only worth a warning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a check came out. UNKNOWN: it could not be judged, because somebody did not answer."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    WRONG = "wrong"


GRAVITY = (Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.WRONG)
"""From what needs no look to what needs one first."""


@dataclass(frozen=True, slots=True)
class Silent:
    """A system that did not answer. `says` is why, as far as that is known; it holds no password."""

    says: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One odd thing, in words; about a task where `task_id` names one. `explained`: it will be mended by itself."""

    says: str
    task_id: str | None = None
    explained: bool = False

    def __str__(self) -> str:
        """One line for a person."""
        return self.says if self.task_id is None else f"{self.task_id}: {self.says}"


@dataclass(frozen=True, slots=True)
class Check:
    """A named question and its answer. `do` is what an operator should do; empty where there is nothing to do."""

    name: str
    verdict: Verdict
    says: str
    do: str = ""
    findings: tuple[Finding, ...] = ()

    def document(self) -> dict[str, Any]:
        """The check as JSON."""
        findings = [{"taskId": item.task_id, "says": item.says, "explained": item.explained} for item in self.findings]
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "says": self.says,
            "do": self.do,
            "findings": findings,
        }


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of them; OK if there is none."""
    return max(verdicts, key=GRAVITY.index, default=Verdict.OK)


def healthy(checks: Iterable[Check]) -> bool:
    """Whether nothing is wrong and nothing was left unjudged."""
    return worst(check.verdict for check in checks) in (Verdict.OK, Verdict.WARNING)


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Wrong if one of them is unexplained."""
    return worst(Verdict.WARNING if finding.explained else Verdict.WRONG for finding in findings)


def unjudged(name: str, silent: Silent, do: str = "") -> Check:
    """A check that could not be made."""
    return Check(name, Verdict.UNKNOWN, f"not judged: {silent.says}", do)
