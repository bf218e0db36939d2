"""The judge for a diary that strangers have written into.

The rules of the audit are about what streamapp wrote, so forged lives are set apart and judged by what must hold of
them; everything else, the tasks of the load and good tasks of strangers, is judged as always. In: the ring, the places
of records that are no facts, forged lives. Out: findings.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from streamapp.audit import Evidence, Line, audit, read_folder
from streamapp.audit.story import Diary, Story, tell
from streamapp.domain.facts import TaskExecutionCompleted
from streamapp.domain.progress import State
from tests.faults import judge, report
from tests.faults.arena import Arena
from tests.faults.poison.forged import Life
from tests.faults.poison.strangers import Place

NEEDED = judge.NEEDED | {"quarantine"}


async def judge_poisoned(ring: Arena, bad: Collection[Place], lives: Iterable[Life]) -> list[str]:
    """Wait until everything has ended, stop, and judge what is left. Adds rows to the report."""
    forged = {life.task_id: life for life in lives}
    recovery, findings = await judge.ended(ring, 90.0)
    log = await _log(ring)
    evidence = read_folder(ring.evidence, log, events=frozenset(ring.clients.events), bad=frozenset(bad), drained=True)
    findings += judge_forged(evidence, tell(log), forged)
    done = audit(_without(evidence, tell(log), forged))
    judged = {name for name, verdict in done.verdicts.items() if verdict is not None and verdict.judged}
    assert judged >= NEEDED, f"nothing was judged by {NEEDED - judged}"
    findings += [str(finding) for finding in done.findings]
    told = ring.clients.told
    lost = sum(not ring.witness.ended(task_id) for task_id in told)
    again = done.counts.get("jobs published again", 0)
    for item in ring.incidents.values():
        numbers = (item.injected, item.under_way, len(told), lost, len(findings), again)
        report.add(report.Row(item.fault, *numbers, item.recovery_seconds or recovery))
    return findings


async def _log(ring: Arena) -> list[Line]:
    found = await ring.kafka.read(ring.topic)
    return [Line(number, row.offset, row.at, row.key, row.value) for number, rows in found.items() for row in rows]


def _without(evidence: Evidence, diary: Diary, forged: Mapping[str, Life]) -> Evidence:
    """The evidence without what is about forged lives. Records that are no facts stay, whatever their key is."""
    keys = {task_id.encode() for task_id in forged}
    return replace(
        evidence,
        log=[
            line for line in evidence.log if line.key not in keys or (line.partition, line.offset) in diary.unreadable
        ],
        effects=[effect for effect in evidence.effects or () if effect.task_id not in forged],
        published=[job for job in evidence.published or () if job.task_id not in forged],
    )


def judge_forged(evidence: Evidence, diary: Diary, forged: Mapping[str, Life]) -> list[str]:
    """What must hold of every forged life, said of those of which it does not."""
    run = {effect.task_id for effect in evidence.effects or ()}
    published = {job.task_id for job in evidence.published or ()}
    findings = []
    for task_id, life in forged.items():
        story = diary.stories.get(task_id)
        if story is None:
            findings.append(f"forged: {life.name} {task_id}: the diary has nothing of it")
            continue
        said = [*_end(life, story), *_anomalies(life, story)]
        if not life.accepted and (task_id in run or task_id in published):
            said.append("it was run or published, and nobody had accepted it")
        findings += [f"forged: {life.name} {task_id}: {text}" for text in said]
    return findings


def _end(life: Life, story: Story) -> Iterable[str]:
    """The first terminal fact that counts is the end, and nothing changes it."""
    end, task = story.end(), story.task
    if not life.accepted and life.end is None:
        if task.progress.terminal:
            yield f"it should not have ended: {task.state}"
        return
    if end is None or not task.progress.terminal:
        yield f"it has not ended: {task.state} of attempt {task.progress.attempt}"
        return
    if life.end is not None and (story.partition, end.offset) != life.places[life.end]:
        yield f"it ended at {story.where(end)}, and the end that counts is at {life.places[life.end]}"
    wanted = State.COMPLETED if isinstance(end.fact, TaskExecutionCompleted) else State.FAILED_PERMANENTLY
    if (task.state, task.ended_at) != (wanted, end.at):
        yield f"the fold says {task.state} at {task.ended_at}, and {end.fact.NAME} of {end.at} is the first that counts"


def _anomalies(life: Life, story: Story) -> Iterable[str]:
    """What contradicts is kept, and called odd."""
    odd = {(story.partition, anomaly.offset) for anomaly in story.task.anomalies}
    for index in sorted(life.odd):
        if life.places[index] not in odd:
            yield f"{life.facts[index].NAME} at {life.places[index]} is no anomaly"
