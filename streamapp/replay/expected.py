"""What the tables must hold: a plain fold of one partition of the diary in memory, by the steps the agents take.

In: records in offset order. Out: the rows of each table, in key order, as bytes. Holds everything in memory.
"""

from collections.abc import Iterable

from streamapp.domain.statistics import Statistics
from streamapp.domain.task import Task
from streamapp.domain.totals import Unreadable
from streamapp.domain.views import Outbox, tell_diary
from streamapp.stream.batch import Record
from streamapp.stream.digest import Row
from streamapp.wire.records import read
from tables import dedup, pending, tasks, totals

TABLES = (tasks.NAME, totals.NAME, pending.NAME, dedup.NAME)
"""The tables that are folded from the diary."""


class PartitionFold:
    """The fold of one partition, from its first record."""

    def __init__(self) -> None:
        self.records = 0
        self._tasks: dict[str, Task] = {}
        self._statistics = Statistics()
        self._outbox: Outbox[bytes] = Outbox(lambda _: None)

    def tell(self, records: Iterable[Record]) -> None:
        """Fold the next records."""
        for record in records:
            self.records += 1
            item = read(record.key, record.value, record.offset, record.at)
            tell_diary(item, self._statistics, self._task)
            if not isinstance(item, Unreadable):
                self._outbox.tell(item.fact.task_id.encode(), item)

    def rows(self, table: str) -> list[Row]:
        """The rows of a table after all records so far, in key order."""
        match table:
            case tasks.NAME:
                rows = [(task_id.encode(), tasks.encode(task)) for task_id, task in self._tasks.items()]
            case totals.NAME:
                rows = list(totals.rows(self._statistics).items()) if self.records else []
            case pending.NAME:
                entries = self._outbox.entries
                rows = [(key, pending.encode(entry)) for key, entry in entries.items() if entry is not None]
            case dedup.NAME:
                rows = [(key, dedup.encode(entry)) for key, entry in self._outbox.closed.items()]
            case _:
                raise ValueError(f"no table of the diary is called {table}")
        return sorted(rows)

    def _task(self, task_id: str) -> Task:
        task = self._tasks.get(task_id)
        if task is None:
            task = self._tasks[task_id] = Task(task_id)
        return task
