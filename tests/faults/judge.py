"""The end of every fault: no more faults, everything drains, and the evidence is judged."""

import json
from dataclasses import dataclass

from streamapp.audit import Line, Report, audit, read_folder
from tests.faults import report
from tests.faults.arena import Arena
from tests.support.reference import fold_topic
from tests.support.rocks import DIARY, DISPATCH, differences
from tests.support.waiting import until

NEEDED = {"acceptance", "no invention", "completeness", "retries", "effects", "dispatching", "silence"}
WIRED = {"acknowledgement", "confirmation"}
"""What must be judged if there is a wiretap."""
FOLDING = {"all", "dispatch", "diary"}


@dataclass(frozen=True)
class Verdict:
    """`findings` in words; none means that every rule holds."""

    findings: list[str]
    rows: list[report.Row]
    counts: dict[str, int]


async def judge(ring: Arena, *, seconds: float = 90.0, reported: bool = True) -> Verdict:
    """End the faults, wait until everything has ended, stop, and judge what is left. Adds rows to the report.

    `seconds` is how long everything may take to end; without `reported` nothing is added: this is no run of a fault.
    """
    ring.members.disarm()
    recovery, findings = await ended(ring, seconds)
    report_of_audit = await _audited(ring)
    findings += [str(finding) for finding in report_of_audit.findings]
    (ring.evidence / "findings.txt").write_text("".join(f"{finding}\n" for finding in findings))
    duplicates = report_of_audit.counts.get("jobs published again", 0)
    told = ring.clients.told
    lost = [task_id for task_id in told if not ring.witness.ended(task_id)]
    rows = [
        report.Row(
            incident.fault,
            incident.injected,
            incident.under_way,
            len(told),
            len(lost),
            len(findings),
            duplicates,
            incident.recovery_seconds or recovery,
        )
        for incident in ring.incidents.values()
    ]
    for row in rows if reported else ():
        report.add(row)
    return Verdict(findings, rows, report_of_audit.counts)


async def ended(ring: Arena, seconds: float) -> tuple[float, list[str]]:
    """Let everything end and stop every role; how long the first took, and what is wrong with ends and tables."""
    recovery, statuses, findings = await _liveness(ring, seconds)
    held = await ring.members.held_partitions()
    statuses |= await ring.stop()
    findings += [f"{name} ended with {status}" for name, status in statuses.items() if status]
    return recovery, findings + await _views(ring, held)


async def _liveness(ring: Arena, seconds: float) -> tuple[float, dict[str, int], list[str]]:
    """How long it took until everything had ended and was folded; what did not is a finding, and is judged too.

    The workers end first, with the exit statuses given: one that lost its claim may tell of an outcome after everything
    has ended, and so may one that is being stopped.
    """
    statuses: dict[str, int] = {}
    try:
        recovery = await ring.drained(seconds)
        await ring.members.ready()
        statuses = await ring.members.retire("worker")
        await _folded(ring)
    except AssertionError as error:
        return seconds, statuses, [f"liveness: {error}"]
    return recovery, statuses, []


async def _audited(ring: Arena) -> Report:
    """What the audit says about the whole diary and everything that was seen outside the system."""
    log = [
        Line(partition, record.offset, record.at, record.key, record.value)
        for partition, records in (await ring.kafka.read(ring.topic)).items()
        for record in records
    ]
    (ring.evidence / "diary.jsonl").write_text("".join(json.dumps(_legible(line)) + "\n" for line in log))
    events = frozenset(ring.clients.events)
    done = audit(read_folder(ring.evidence, log, events=events, drained=True))
    judged = {name for name, verdict in done.verdicts.items() if verdict is not None and verdict.judged}
    needed = NEEDED | (WIRED if (ring.evidence / "wire.jsonl").exists() else set())
    assert judged >= needed, f"nothing was judged by {needed - judged}"
    return done


def _legible(line: Line) -> list[object]:
    """A line of the diary for whoever looks at an artifact."""
    key, value = ((part or b"").decode(errors="replace") for part in (line.key, line.value))
    return [line.partition, line.offset, line.at, key, value]


async def _folded(ring: Arena) -> None:
    """Wait until every table has folded everything: a commit reports what is in all tables of its role."""

    async def behind() -> dict[str, object]:
        ends = {(ring.topic, partition): end for partition, end in (await ring.kafka.ends(ring.topic)).items() if end}
        roles = {member.role for member in ring.members.by_name.values() if not member.held} & FOLDING
        commits = {role: await ring.kafka.offsets(ring.made.names.app_id(role)) for role in roles}
        return {role: offsets for role, offsets in commits.items() if not ends.items() <= offsets.items()}

    async def caught_up() -> bool:
        return not await behind()

    await until(caught_up, 30, "every table has folded everything", every=0.3)


async def _views(ring: Arena, held: dict[str, dict[str, list[int]]]) -> list[str]:
    """Where the tables differ from a plain fold of the topic, byte for byte, each where it was held last."""
    expected = fold_topic(await ring.kafka.read(ring.topic))
    ends = await ring.kafka.ends(ring.topic)
    found: list[str] = []
    seen: dict[str, list[int]] = {table: [] for table in DIARY + DISPATCH}
    for name, tables in held.items():
        directory = ring.made.tables(name, ring.members.by_name[name].role)
        for table in seen.keys() & tables.keys():
            seen[table] += tables[table]
            its = {partition: ends[partition] for partition in tables[table]}
            found += differences(directory, expected, (table,), its)
    gaps = {table: partitions for table, partitions in seen.items() if sorted(partitions) != sorted(ends)}
    return found + ([f"not every partition is held exactly once: {gaps}"] if gaps else [])
