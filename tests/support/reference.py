"""What the tables must hold: the fold of the topic in memory that `streamapp verify` makes too.

That it is a plain fold, and nothing clever, is a test of its own: `tests/unit/replay/test_expected.py`.
"""

from dataclasses import dataclass, field

from streamapp.domain.facts import Recorded
from streamapp.replay.expected import TABLES, PartitionFold
from streamapp.stream.batch import Record
from streamapp.wire import facts as wire

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
        fold = PartitionFold()
        fold.tell(rows)
        for table in TABLES:
            getattr(expected, table)[partition] = dict(fold.rows(table))
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
