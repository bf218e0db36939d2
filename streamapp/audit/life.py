"""Rules about the life of a task, judged from the diary and from what clients were told."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from streamapp.audit.evidence import Answer, Evidence
from streamapp.audit.findings import Verdict
from streamapp.audit.story import Diary, Story
from streamapp.domain.facts import (
    Recorded,
    TaskAccepted,
    TaskDispatched,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskExecutionStarted,
    TaskFailedPermanently,
    TaskRequeued,
    TaskRetryScheduled,
)
from streamapp.domain.policy import Policy, delay_ms
from streamapp.domain.progress import State
from streamapp.wire import json


def acceptance(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Whoever was told 202 finds the task in the diary, as submitted; so does whoever produced an event."""
    for answer in evidence.answers or ():
        if answer.outcome != "accepted" or answer.task_id is None:
            continue
        verdict.judged += 1
        story = diary.stories.get(answer.task_id)
        told = [] if story is None else list(story.of(TaskAccepted))
        if not told:
            verdict.object(
                answer.task_id, "a client was told 202, and the diary has no TaskAccepted", f"at {answer.at}"
            )
        elif answer.fingerprint and answer.fingerprint not in {_fingerprint(item) for item in told}:
            verdict.object(answer.task_id, "the diary has it with another type or payload", f"at {answer.at}")
    for event_id in evidence.events or ():
        verdict.judged += 1
        story = diary.stories.get(event_id)
        if evidence.drained and (story is None or story.accepted is None):
            verdict.object(event_id, "the event is in its topic, and the diary has no TaskAccepted")


def no_invention(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Every task that came over HTTP was submitted by somebody who was not told that nothing came of it."""
    answers: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in evidence.answers or ():
        if answer.task_id is not None:
            answers[answer.task_id].append(answer)
    for story in diary.stories.values():
        accepted = story.accepted
        if accepted is None or accepted.fact.origin.kind != "http":  # type: ignore[union-attr]
            continue
        verdict.judged += 1
        told = {answer.outcome for answer in answers.get(story.task_id, ())}
        if "accepted" in told:
            continue
        if "unknown" in told:
            verdict.counts["unknown answers that came true"] += 1
        elif told:
            said = ", ".join(sorted(told))
            verdict.object(story.task_id, f"the client was told {said}, and it is in the diary", story.where(accepted))
        else:
            verdict.object(story.task_id, "nobody submitted it", story.where(accepted))


def completeness(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Every accepted task has one terminal fact that counts, and one more for each requeue that had an effect.

    The fold agrees; where there is none yet, it says what is awaited.
    """
    for story in diary.stories.values():
        accepted, end, task = story.accepted, story.end(), story.task
        effective = len(story.rounds) - 1
        verdict.counts["requeues"] += effective
        verdict.counts["requeues without effect"] += sum(1 for _ in story.of(TaskRequeued)) - effective
        if task.requeues != effective:
            said = f"the fold says requeued {task.requeues} times, and {effective} times it had failed for good"
            verdict.object(story.task_id, said, _last(story))
        if accepted is None:
            if task.state not in (State.UNKNOWN, State.REJECTED):
                verdict.object(story.task_id, f"{task.state}, and nobody accepted it", story.where(story.facts[-1]))
            continue
        verdict.judged += 1
        if (end is not None) != task.progress.terminal or (end is not None and end.at != task.ended_at):
            found = "no terminal fact counts" if end is None else f"{end.fact.NAME} at {story.where(end)} is the first"
            verdict.object(story.task_id, f"the fold says {task.state}, and {found} that counts")
        if end is not None:
            terminal = [item for item in story.facts if isinstance(item.fact, TaskFailedPermanently)]
            terminal += [item for item in story.facts if isinstance(item.fact, TaskExecutionCompleted)]
            verdict.counts["terminal facts that do not count"] += len(terminal) - len(story.rounds)
        elif evidence.drained:
            verdict.object(story.task_id, f"has not ended: {task.state}, attempt {task.progress.attempt}", _last(story))
        else:
            verdict.counts[f"open, {task.state}"] += 1


def retries(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Attempts follow one another, and the policy of TaskAccepted: how many since the last requeue, not before when."""
    for story in diary.stories.values():
        accepted = story.accepted
        if accepted is None or not isinstance(accepted.fact, TaskAccepted):
            continue
        verdict.judged += 1
        scheduled = list(story.of(TaskRetryScheduled))
        numbers = [item.fact.attempt for item in scheduled]  # type: ignore[union-attr]
        requeued = [found.first for found in story.rounds[1:]]
        opened = sorted({*numbers, *requeued})
        if opened != list(range(2, 2 + len(opened))):
            said = f"attempts scheduled: {numbers}" + (f", requeued: {requeued}" if requeued else "")
            verdict.object(story.task_id, said, _last(story))
        for item in scheduled:
            _retry(story, item, accepted.fact.policy, verdict)
        for item in story.of(TaskFailedPermanently):
            _given_up(story, item, accepted.fact.policy, verdict)


def _retry(story: Story, scheduled: Recorded, policy: Policy, verdict: Verdict) -> None:
    fact = scheduled.fact
    if not isinstance(fact, TaskRetryScheduled):
        return
    former = fact.attempt - 1
    expected = set(_due(story, former, fact, policy))
    if not expected:
        verdict.object(story.task_id, f"attempt {fact.attempt} scheduled without a reason", story.where(scheduled))
    elif fact.not_before not in expected and not _after_silence(story, former, fact, policy):
        witness = f"{story.where(scheduled)}, not before {fact.not_before}, expected {sorted(expected)}"
        verdict.object(story.task_id, f"attempt {fact.attempt} is not due when the policy says", witness)
    if fact.failures >= policy.max_attempts:
        said = f"attempt {fact.attempt} after {fact.failures} failures of {policy.max_attempts} allowed"
        verdict.object(story.task_id, said, story.where(scheduled))


def _due(story: Story, former: int, fact: TaskRetryScheduled, policy: Policy) -> Iterable[int]:
    """When the attempt after `former` may be due: from its failures, or from the dispatch that came to nothing."""
    delay = delay_ms(policy, fact.failures, story.task_id)
    for failed in story.of(TaskExecutionFailed, former):
        yield failed.at + delay
    for dispatched in story.of(TaskDispatched, former):
        yield dispatched.at
    for started in story.of(TaskExecutionStarted, former):
        yield started.at + round(policy.timeout_seconds * 1000) + delay


def _after_silence(story: Story, former: int, fact: TaskRetryScheduled, policy: Policy) -> bool:
    """Whether it may be a start without an outcome: its timeout, and whatever margin the settings add to it."""
    least = round(policy.timeout_seconds * 1000) + delay_ms(policy, fact.failures, story.task_id)
    return any(fact.not_before >= started.at + least for started in story.of(TaskExecutionStarted, former))


def _given_up(story: Story, told: Recorded, policy: Policy, verdict: Verdict) -> None:
    attempt = getattr(told.fact, "attempt", 0)
    within = story.round_of(attempt)  # what failed before the task was requeued is not held against it
    known = [item for item in story.facts if story.round_of(getattr(item.fact, "attempt", 0)) is within]
    failed = [item.fact for item in known if isinstance(item.fact, TaskExecutionFailed) and item.offset < told.offset]
    final = any(not fact.retryable for fact in failed if isinstance(fact, TaskExecutionFailed))
    scheduled = [item.fact for item in known if isinstance(item.fact, TaskRetryScheduled)]
    counted = {fact.attempt for fact in failed if isinstance(fact, TaskExecutionFailed) and fact.counted}
    # An attempt may fail while it is being given up for lost: the schedule of the next one knows nothing of it.
    failures = max(len(counted), max((fact.failures for fact in scheduled), default=0) + 1)
    if not final and failures < policy.max_attempts:
        said = f"given up at attempt {attempt} after {failures} failures of {policy.max_attempts} allowed"
        verdict.object(story.task_id, said, story.where(told))


def _fingerprint(told: Recorded) -> str:
    fact = told.fact
    if not isinstance(fact, TaskAccepted):
        return ""
    return hashlib.sha256(json.canonical({"type": fact.type, "payload": fact.payload})).hexdigest()


def _last(story: Story) -> str:
    last = story.facts[-1]
    return f"last {last.fact.NAME} at {story.where(last)}"
