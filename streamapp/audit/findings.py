"""What a rule says: findings with their witness, and counts of what is allowed but worth knowing."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be. `witness` is the least that shows it: places in the diary, times, ids."""

    rule: str
    task_id: str | None
    says: str
    witness: str = ""

    def __str__(self) -> str:
        """One line for a person."""
        about = f" {self.task_id}" if self.task_id else ""
        return f"{self.rule}:{about}: {self.says}" + (f" [{self.witness}]" if self.witness else "")


@dataclass(slots=True)
class Verdict:
    """What came of one rule. `judged` counts what it looked at."""

    rule: str
    judged: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def object(self, task_id: str | None, says: str, witness: str = "") -> None:
        """Something that should not be."""
        self.findings.append(Finding(self.rule, task_id, says, witness))
