"""What the tables must hold: a plain fold of the topic in memory, in the order of its offsets, and nothing clever."""

from dataclasses import dataclass, field

from streamapp.domain.facts import Recorded
from streamapp.domain.outbox import Memory, Open, remember
from streamapp.domain.task import Task, evolve
from streamapp.domain.totals import Totals, count, count_unreadable, look
from streamapp.stream.batch import Record
from streamapp.wire import facts as wire
from tables import dedup, pending, tasks, totals

Rows = dict[int, dict[bytes, bytes]]
"""Partition → key → value of one table, as bytes."""


@dataclass
class Expected:
    """The rows of every table of diary and dispatch."""

    tasks: Rows = field(default_factory=dict)
    totals: Rows = field(default_factory=dict)
    pending: Rows = field(default_factory=dict)
    dedup: Rows = field(default_factory=dict)


def fold_topic(records: dict[int, list[Record]]) -> Expected:
    """The rows after every record of `records`."""
    expected = Expected()
    for partition, rows in records.items():
        _fold_partition(expected, partition, rows)
    return expected


def facts_of(records: dict[int, list[Record]]) -> list[tuple[int, Recorded]]:
    """Every readable fact with its partition, partition by partition."""
    found = []
    for partition, rows in records.items():
        for row in rows:
            try:
                fact = wire.decode(row.key, row.value)
            except wire.Undecodable:
                continue
            found.append((partition, Recorded(fact, row.offset, row.at)))
    return found


def _fold_partition(expected: Expected, partition: int, rows: list[Record]) -> None:
    known: dict[bytes, Task] = {}
    memories: dict[bytes, Memory] = {}
    sums = Totals()
    for row in rows:
        try:
            fact = wire.decode(row.key, row.value)
        except wire.Undecodable as error:
            count_unreadable(sums, row.offset, row.at, str(error))
            continue
        key, recorded = fact.task_id.encode(), Recorded(fact, row.offset, row.at)
        before = known.get(key, Task(fact.task_id))
        after = known[key] = evolve(before, recorded)
        count(sums, look(before), after, recorded)
        memories[key] = remember(memories.get(key), recorded)
    expected.tasks[partition] = {key: tasks.encode(task) for key, task in known.items()}
    expected.totals[partition] = {totals.KEY: totals.encode(sums)} if rows else {}
    expected.pending[partition] = {k: pending.encode(m) for k, m in memories.items() if isinstance(m, Open)}
    expected.dedup[partition] = {k: dedup.encode(m) for k, m in memories.items() if not isinstance(m, Open)}
