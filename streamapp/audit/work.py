"""Rules about the work itself: effects, jobs and acknowledgements, judged from ledger, shadow queue and wiretap."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from streamapp.audit.evidence import Effect, Evidence, Incident, Published, Wired
from streamapp.audit.findings import Verdict
from streamapp.audit.story import Diary, Story
from streamapp.domain.facts import (
    Recorded,
    TaskAccepted,
    TaskDispatched,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskExecutionStarted,
    TaskRetryScheduled,
)

AMQP_SECOND_MS = 1_000
"""The time of a published job is cut to seconds."""

AWAKE_MS = 5_000
"""A process that stood still, or waited for a broker that did, has done by then what it had begun before."""

FUTURE_MS = 60_000
"""A job that is later than the end of the diary by so much tells a wrong time."""

CLOCK_MS = 500
"""Dispatch knows the broker's time no better than this."""

DISPATCHING = frozenset({"dispatch", "kafka", "rabbitmq", "all"})
"""Faults of these may part a confirm from its fact."""

GUARDING = frozenset({"worker", "redis", "all"})
"""Faults of these may part a worker from its claim."""

Key = tuple[str, int]


def effects(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """A handler runs once for each TaskExecutionStarted of its attempt, after it; a completed task has its effect."""
    begun = _by_attempt(evidence.effects or (), "begin")
    ended = _by_attempt(evidence.effects or (), "end")
    for (task_id, attempt), runs in begun.items():
        verdict.judged += len(runs)
        story = diary.stories.get(task_id)
        told = [] if story is None else sorted(story.of(TaskExecutionStarted, attempt), key=lambda item: item.at)
        starts = [item.at for item in told]
        if story is None or not starts:
            verdict.object(task_id, f"attempt {attempt} ran, and the diary has no start of it", f"at {runs[0]}")
            continue
        if len(runs) > len(starts):
            said = f"attempt {attempt} ran {len(runs)} times, and the diary has {len(starts)} starts"
            verdict.object(task_id, said, f"at {runs}")
        for run, start in zip(runs, starts, strict=False):
            if run < start:
                verdict.object(task_id, f"attempt {attempt} ran before its start was durable", f"{run} < {start}")
        verdict.counts["runs beyond the first of an attempt"] += len(runs) - 1
        _after_the_end(story, attempt, runs, told, evidence.incidents, verdict)
    for story in diary.stories.values():
        end = story.end()
        if end is not None and isinstance(end.fact, TaskExecutionCompleted):
            verdict.judged += 1
            if not ended.get((story.task_id, end.fact.attempt)):
                said = f"completed by attempt {end.fact.attempt}, which made no effect"
                verdict.object(story.task_id, said, story.where(end))


def _after_the_end(
    story: Story, attempt: int, runs: list[int], starts: list[Recorded], incidents: Sequence[Incident], verdict: Verdict
) -> None:
    end = story.round_of(attempt).end
    if end is None:
        return
    # An attempt that was due already when a zombie of the one before it ended the task may still be run.
    overtaken = isinstance(end.fact, TaskExecutionCompleted) and end.fact.attempt < attempt
    for run, start in zip(runs, starts, strict=False):
        if run <= end.at:
            continue
        if start.at <= end.at or overtaken:
            verdict.counts["zombies' runs after the end"] += 1
        elif _ended_by_a_zombie(story, end, start, incidents):
            verdict.counts["runs after the end that a zombie had told"] += 1
        else:
            verdict.object(story.task_id, f"attempt {attempt} ran after the end", f"{run} > {story.where(end)}")


def _ended_by_a_zombie(story: Story, end: Recorded, start: Recorded, incidents: Sequence[Incident]) -> bool:
    """Whether the outcome is that of a worker which had lost its claim, and the run that of a later claim.

    Only a fault can have parted a worker from its claim: while it ran, or before its outcome was known to the guard.
    """
    lost, later = getattr(end.fact, "token", None), getattr(start.fact, "token", None)
    if lost is None or later is None or not lost < later:
        return False
    begun = [item.at for item in story.of(TaskExecutionStarted) if getattr(item.fact, "token", None) == lost]
    return _fault_between(incidents, min(begun, default=end.at), start.at, GUARDING)


def dispatching(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """One job for each attempt; more only where a fault lay between its confirm and its fact, with the same id."""
    published = _jobs(evidence)
    for message_id, jobs in published.items():
        verdict.judged += 1
        task_id, attempt = jobs[0].task_id, jobs[0].attempt
        story = diary.stories.get(task_id)
        if message_id != f"{task_id}:{attempt}" or story is None or story.accepted is None:
            verdict.object(task_id, f"a job {message_id} of a task that was never accepted", f"at {jobs[0].at}")
            continue
        if attempt > 1 and not any(story.of(TaskRetryScheduled, attempt)) and story.requeued(attempt) is None:
            verdict.object(task_id, f"attempt {attempt} published, and nothing had scheduled it", f"at {jobs[0].at}")
        if len(jobs) > 1:
            verdict.counts["jobs published again"] += len(jobs) - 1
            until = min((item.at for item in story.of(TaskDispatched, attempt)), default=jobs[-1].at)
            if not _fault_between(evidence.incidents, jobs[0].at, max(until, jobs[-1].at)):
                said = f"attempt {attempt} published {len(jobs)} times, and no fault explains it"
                verdict.object(task_id, said, f"at {[job.at for job in jobs]}")
    for story in diary.stories.values():
        for told in story.of(TaskDispatched):
            attempt = getattr(told.fact, "attempt", 0)
            verdict.judged += 1
            if f"{story.task_id}:{attempt}" not in published:
                verdict.object(story.task_id, f"attempt {attempt} dispatched, and no job published", story.where(told))


def silence(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """Nothing is published that the diary says was dispatched, nor for a task that has ended; so replay causes nothing.

    Only a dispatcher that stood still may hand out what its successor has told meanwhile; and what is published again
    because of a crash may come after the end that its first copy has brought.
    """
    latest = max((line.at for line in evidence.log), default=0) + FUTURE_MS
    for jobs in _jobs(evidence).values():
        for job in jobs:
            story = diary.stories.get(job.task_id)
            if story is None:
                continue
            if job.at > latest:  # its publisher had just started, with a clock that is wrong
                verdict.counts["jobs with a time that has not come yet"] += 1
                continue
            verdict.judged += 1
            told = min((item.at for item in story.of(TaskDispatched, job.attempt)), default=None)
            end = story.round_of(job.attempt).end
            if told is not None and job.at > told:
                what, since, excused = "its TaskDispatched", told, _overtaken(evidence.incidents, told, job.at)
            elif end is not None and job.at > end.at + AMQP_SECOND_MS:
                what, since = "the end of the task", end.at
                begun = min(jobs[0].at, end.at) - AMQP_SECOND_MS
                excused = _fault_between(evidence.incidents, begun, job.at + AMQP_SECOND_MS)
            else:
                continue
            if excused:
                verdict.counts["jobs handed out late around a fault"] += 1
            else:
                verdict.object(job.task_id, f"attempt {job.attempt} published after {what}", f"{job.at} > {since}")


def _overtaken(incidents: Sequence[Incident], told: int, published: int) -> bool:
    """Whether a fault was going on when somebody told of the job, and the job came soon after its end at the latest."""
    return any(
        item.target in DISPATCHING
        and item.at - AMQP_SECOND_MS <= told
        and told <= item.until + AWAKE_MS
        and published <= item.until + AWAKE_MS
        for item in incidents
    )


def not_before(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """No retry is published before its time, and none of what is requeued before somebody wanted it."""
    for jobs in _jobs(evidence).values():
        job = jobs[0]
        story = diary.stories.get(job.task_id)
        requeued = story.requeued(job.attempt) if story else None
        if requeued is not None:
            verdict.judged += 1
            if job.at + AMQP_SECOND_MS <= requeued.at:
                said = f"attempt {job.attempt} published before it was requeued"
                verdict.object(job.task_id, said, f"{job.at} < {requeued.at}")
        for told in story.of(TaskRetryScheduled, job.attempt) if story else ():
            verdict.judged += 1
            due = told.fact.not_before  # type: ignore[union-attr]
            if job.at + AMQP_SECOND_MS <= due:
                verdict.object(job.task_id, f"attempt {job.attempt} published too early", f"{job.at} < {due}")
            for dispatched in story.of(TaskDispatched, job.attempt) if story else ():
                if dispatched.at + CLOCK_MS < due:  # both are the broker's times, whatever other clocks say
                    witness = f"{story.where(dispatched)} at {dispatched.at} < {due}"  # type: ignore[union-attr]
                    verdict.object(job.task_id, f"attempt {job.attempt} dispatched too early", witness)


def acknowledgement(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """A job is acked when the diary has its outcome, or when the diary needs none of it any more."""
    for event in evidence.wire or ():
        if event.event == "unparsed":
            said = f"the wiretap did not understand connection {event.connection}: {event.detail}"
            verdict.object(None, said, f"at {event.at}")
        if event.event != "ack" or event.message_id is None:
            continue
        verdict.judged += 1
        task_id, _, number = event.message_id.rpartition(":")
        story = diary.stories.get(task_id)
        if story is None or not number.isdecimal() or not _settled(story, int(number), event.at):
            said = f"attempt {number} acked, and the diary has no outcome of it by then"
            verdict.object(task_id, said, f"at {event.at}")


def confirmation(evidence: Evidence, diary: Diary, verdict: Verdict) -> None:
    """TaskDispatched is told once RabbitMQ has confirmed the job: never on a guess, and never of a returned job."""
    confirmed = _confirmed(evidence.wire or ())
    for story in diary.stories.values():
        for told in story.of(TaskDispatched):
            attempt = getattr(told.fact, "attempt", 0)
            verdict.judged += 1
            at = confirmed.get(f"{story.task_id}:{attempt}")
            if at is None or at > told.at:
                said = f"attempt {attempt} dispatched, and RabbitMQ had not confirmed its job by then"
                verdict.object(story.task_id, said, f"{story.where(told)} at {told.at}, confirmed at {at}")


def _confirmed(wire: Iterable[Wired]) -> dict[str, int]:
    """Message id → its first confirm. The confirm of a returned job says that it is kept nowhere."""
    returned: set[tuple[int, str | None]] = set()
    confirmed: dict[str, int] = {}
    for event in wire:
        place = (event.connection, event.message_id)
        if event.event == "return":
            returned.add(place)
        elif event.event == "confirm" and place in returned:
            returned.discard(place)
        elif event.event == "confirm" and event.message_id is not None:
            confirmed.setdefault(event.message_id, event.at)
    return confirmed


def _settled(story: Story, attempt: int, at: int) -> bool:
    for told in story.facts:
        if told.at > at:
            continue
        outcome = isinstance(told.fact, TaskExecutionCompleted | TaskExecutionFailed) and told.fact.attempt == attempt
        later = not isinstance(told.fact, TaskAccepted) and getattr(told.fact, "attempt", 0) > attempt
        if outcome or later:
            return True
    end = story.round_of(attempt).end
    return end is not None and end.at <= at


def _jobs(evidence: Evidence) -> Mapping[str, list[Published]]:
    """Message id → its publications: from the shadow queue, with the wiretap's times where it saw as many."""
    jobs: defaultdict[str, list[Published]] = defaultdict(list)
    for job in evidence.published or ():
        jobs[job.message_id].append(job)
    return jobs


def _by_attempt(ledger: Iterable[Effect], phase: str) -> dict[Key, list[int]]:
    found: defaultdict[Key, list[int]] = defaultdict(list)
    for effect in ledger:
        if effect.phase == phase:
            found[effect.task_id, effect.attempt].append(effect.at)
    return {key: sorted(times) for key, times in found.items()}


def _fault_between(
    incidents: Sequence[Incident], since: int, until: int, targets: frozenset[str] = DISPATCHING
) -> bool:
    return any(item.target in targets and item.at <= until and item.until >= since for item in incidents)
