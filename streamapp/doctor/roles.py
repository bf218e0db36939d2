"""The roles that read from Kafka: whether somebody plays each, exactly one way of dispatching, and how far they are.

In: members and lag of the consumer groups, and what the diary's own web says. Out: a check for each role. A role may
run alone or together with the others (`STREAMAPP_ROLE`), each way as a group of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamapp.doctor.verdicts import Check, Finding, Silent, Verdict, unjudged, verdict_of, worst

MANY_BEHIND = 5_000
"""Records not yet consumed that are worth a word."""

DOES = {
    "ingest": "events are not taken on",
    "dispatch": "nothing is handed out, and no retry is decided",
    "diary": "the views stand still; everything else goes on",
}
"""What nobody does when a role has no member."""


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group that plays a role: its members by name, and records between its commits and the end."""

    name: str
    members: tuple[str, ...]
    behind: int = 0


@dataclass(frozen=True, slots=True)
class DiarySays:
    """What the diary's own web says. `reasons`: why it is not ready; `behind`: facts not folded, by partition held."""

    reasons: tuple[str, ...] = ()
    stale: bool = False
    missing: tuple[int, ...] = ()
    behind: int = 0


def role(name: str, groups: Sequence[Group] | Silent) -> Check:
    """Somebody plays the role `name`: `groups` are the ways in which it may be played."""
    if isinstance(groups, Silent):
        return unjudged(name, groups)
    playing = [group for group in groups if group.members]
    if not playing:
        ways = " or ".join(group.name for group in groups)
        says = f"no process is a member of {ways}: {DOES[name]}"
        return Check(name, Verdict.WRONG, says, "start it: `streamapp up`, or `streamapp run` with its role")
    if name == "dispatch" and len(playing) > 1:
        says = f"{' and '.join(group.name for group in playing)} both dispatch from this diary"
        return Check(name, Verdict.WRONG, says, "stop one of them: every job is published twice")
    behind = min(group.behind for group in playing)
    says = "; ".join(f"{group.name}: {_members(group)}, {group.behind:,} records behind" for group in playing)
    if behind >= MANY_BEHIND:
        return Check(
            name, Verdict.WARNING, says, "it is catching up, or too slow: look again, or start another process"
        )
    return Check(name, Verdict.OK, says)


def diary(groups: Sequence[Group] | Silent, answer: DiarySays | Silent) -> Check:
    """The diary is played, answers, is fresh and whole."""
    played = role("diary", groups)
    if isinstance(answer, Silent):
        says = f"its views do not answer: {answer.says} ({played.says})"
        return Check("diary", Verdict.WRONG, says, "start it, or set STREAMAPP_DIARY__HOST and __PORT to where it runs")
    findings = _of_diary(answer)
    verdict = worst([played.verdict, verdict_of(findings)])
    do = played.do or ("ask again in a minute; its log says what it waits for" if findings else "")
    return Check("diary", verdict, f"{played.says}; {answer.behind:,} facts not folded", do, findings)


def _of_diary(answer: DiarySays) -> tuple[Finding, ...]:
    found = [Finding(f"not ready: {reason}") for reason in answer.reasons]
    if answer.stale and not answer.reasons:
        found.append(Finding("stale: Kafka does not answer it, and what it shows is the last known state"))
    if answer.missing:
        found.append(Finding(f"nothing is known now of the tasks in partitions {', '.join(map(str, answer.missing))}"))
    if answer.behind >= MANY_BEHIND:
        found.append(Finding(f"{answer.behind:,} facts are not folded", explained=True))
    return tuple(found)


def topics(faults: Mapping[str, str | None] | Silent) -> Check:
    """The topics exist and keep their rules. `faults`: what is wrong with each; None where nothing is."""
    if isinstance(faults, Silent):
        return unjudged("topics", faults, "see that Kafka runs and STREAMAPP_KAFKA__BOOTSTRAP_SERVERS is right")
    found = tuple(Finding(fault) for fault in faults.values() if fault is not None)
    says = f"{', '.join(faults)}: {'see below' if found else 'there, and as they must be'}"
    return Check("topics", verdict_of(found), says, "do what each line says" if found else "", found)


def _members(group: Group) -> str:
    return "1 member" if len(group.members) == 1 else f"{len(group.members)} members"
