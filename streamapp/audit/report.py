"""All rules over one body of evidence, and what they say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamapp.audit import life, surroundings, work
from streamapp.audit.evidence import Evidence
from streamapp.audit.findings import Finding, Verdict
from streamapp.audit.story import Diary, tell


@dataclass(frozen=True, slots=True)
class Rule:
    """A promise and how it is judged. `needs` names the parts of the evidence without which it is not judged."""

    name: str
    needs: tuple[str, ...]
    judge: Callable[[Evidence, Diary, Verdict], None]

    @property
    def says(self) -> str:
        """The promise, in a sentence."""
        return (self.judge.__doc__ or "").split("\n\n")[0].strip()


RULES = (
    Rule("acceptance", ("answers",), life.acceptance),
    Rule("no invention", ("answers",), life.no_invention),
    Rule("completeness", (), life.completeness),
    Rule("retries", (), life.retries),
    Rule("effects", ("effects",), work.effects),
    Rule("dispatching", ("published",), work.dispatching),
    Rule("silence", ("published",), work.silence),
    Rule("not before", ("published",), work.not_before),
    Rule("acknowledgement", ("wire",), work.acknowledgement),
    Rule("confirmation", ("wire",), work.confirmation),
    Rule("guarded", ("effects",), surroundings.guarded),
    Rule("views", ("views", "expected"), surroundings.views),
    Rule("sessions", ("polls",), surroundings.sessions),
    Rule("quarantine", ("bad",), surroundings.quarantine),
    Rule("secrecy", ("canaries", "texts"), surroundings.secrecy),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What every rule says; None for a rule whose evidence is missing: it was not judged."""

    verdicts: dict[str, Verdict | None]
    tasks: int
    facts: int

    @property
    def findings(self) -> list[Finding]:
        """Everything that should not be."""
        return [finding for verdict in self.verdicts.values() if verdict for finding in verdict.findings]

    @property
    def counts(self) -> dict[str, int]:
        """What is allowed, but worth knowing."""
        return {
            name: number
            for verdict in self.verdicts.values()
            if verdict
            for name, number in verdict.counts.items()
            if number
        }

    def document(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "tasks": self.tasks,
            "facts": self.facts,
            "rules": {
                name: None if verdict is None else {"judged": verdict.judged, "findings": len(verdict.findings)}
                for name, verdict in self.verdicts.items()
            },
            "counts": self.counts,
            "findings": [
                {"rule": item.rule, "taskId": item.task_id, "says": item.says, "witness": item.witness}
                for item in self.findings
            ],
        }


def audit(evidence: Evidence) -> Report:
    """Judge the evidence by every rule whose parts are there."""
    diary = tell(evidence.log)
    verdicts: dict[str, Verdict | None] = {}
    for rule in RULES:
        verdict = verdicts[rule.name] = (
            None if any(getattr(evidence, part) is None for part in rule.needs) else Verdict(rule.name)
        )
        if verdict is not None:
            rule.judge(evidence, diary, verdict)
    facts = sum(len(story.facts) + story.repeated for story in diary.stories.values())
    return Report(verdicts, len(diary.stories), facts)
