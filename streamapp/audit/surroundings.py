"""Rules about what surrounds the tasks: the guard, views, what clients see, bad records, secrets."""

from collections.abc import Mapping

from streamapp.audit.evidence import Evidence, Poll
from streamapp.audit.findings import Verdict
from streamapp.audit.story import Diary
from streamapp.domain.progress import TERMINAL, State

RANK: Mapping[str, int] = {state: number for number, state in enumerate(State)}

GUARD_LOST = "guard lost"
"""Detail of an incident during which the guard has no memory: from its loss until it was rebuilt."""

CONFIRMED_BEFORE_MS = 1_000
"""A claim that was confirmed just before the loss may begin to run this much later."""


def guarded(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """While the guard has no memory, no handler begins to run."""
    lost = [incident for incident in evidence.incidents if incident.detail == GUARD_LOST]
    for effect in evidence.effects or ():
        if effect.phase != "begin" or not lost:
            continue
        verdict.judged += 1
        if any(item.at + CONFIRMED_BEFORE_MS < effect.at < item.until for item in lost):
            verdict.object(effect.task_id, f"attempt {effect.attempt} ran while nobody guarded it", f"at {effect.at}")


def views(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Views are a fold of the diary, byte for byte."""
    actual, expected = evidence.views or {}, evidence.expected or {}
    for name in sorted(actual.keys() | expected.keys()):
        found, wanted = actual.get(name, {}), expected.get(name, {})
        verdict.judged += len(found.keys() | wanted.keys())
        for key in sorted(found.keys() | wanted.keys()):
            if found.get(key) != wanted.get(key):
                what = "is missing" if key not in found else "should not be there" if key not in wanted else "differs"
                verdict.object(key.decode(errors="replace"), f"a row of {name} {what}", f"{found.get(key)!r}"[:300])
                break  # the first one names the place; the rest is the same fault


def sessions(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Who asks twice never sees a task go back: attempts do not fall; what has ended has, until it is requeued."""
    last: dict[str, tuple[int, str]] = {}
    for poll in sorted(evidence.polls or (), key=lambda poll: poll.at):
        verdict.judged += 1
        attempt, state = last.get(poll.task_id, (0, ""))
        moved = state in TERMINAL and (poll.state, poll.attempt) != (state, attempt)
        if poll.attempt < attempt or (moved and not _requeued_since(diary, poll, state, attempt)):
            said = f"{poll.state} of attempt {poll.attempt} after {state} of attempt {attempt}"
            verdict.object(poll.task_id, said, f"at {poll.at}")
        last[poll.task_id] = (poll.attempt, poll.state)


def _requeued_since(diary: Diary, poll: Poll, state: str, attempt: int) -> bool:
    """Whether a requeue lies between what somebody saw last, a task that had failed for good, and what they see now."""
    story = diary.stories.get(poll.task_id)
    opened = [found.first for found in story.rounds[1:]] if story else []
    return state == State.FAILED_PERMANENTLY and any(attempt < first <= poll.attempt for first in opened)


def quarantine(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Records that nobody can read are set aside, and only those."""
    bad = evidence.bad or frozenset()
    verdict.judged = len(bad)
    for partition, offset in sorted(bad - diary.unreadable.keys()):
        verdict.object(None, "a bad record was read as a fact", f"{partition}:{offset}")
    for (partition, offset), reason in sorted(diary.unreadable.items()):
        if (partition, offset) not in bad:
            verdict.object(None, f"a record that somebody meant cannot be read: {reason}", f"{partition}:{offset}")


def secrecy(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """What is marked as secret is written nowhere."""
    for name, text in (evidence.texts or {}).items():
        verdict.judged += 1
        for canary in evidence.canaries or ():
            if canary.encode() in text:
                verdict.object(None, f"a secret is written in {name}", f"at byte {text.find(canary.encode())}")
