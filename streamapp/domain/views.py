"""What one record of the diary does to each view: the steps that every fold of it takes, in an agent or in memory.

In: a record, read as a fact or as unreadable, and the state before it. Out: the state after it. Tables are folded from
nothing else, so whoever takes the same steps over the same records gets the same rows: `tell_diary` for `tasks` and
`totals`, `Outbox` for `pending` and `dedup`.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

from streamapp.domain.facts import Recorded
from streamapp.domain.outbox import Closed, Memory, Open, remember
from streamapp.domain.statistics import Statistics
from streamapp.domain.task import Task, apply
from streamapp.domain.totals import Unreadable, count, count_unreadable, look

Item: TypeAlias = Recorded | Unreadable
"""One record of the diary as it was read."""

K = TypeVar("K", bound=Hashable)


def tell_diary(item: Item, statistics: Statistics, task_of: Callable[[str], Task]) -> Task | None:
    """Fold one record into the views `tasks` and `totals`, in place. Returns the task that it was about.

    Args:
        item: the record.
        statistics: those of the record's partition.
        task_of: the task of an id, an empty one if nothing is known of it; the caller keeps what it gave out.
    """
    totals = statistics.totals
    if isinstance(item, Unreadable):
        count_unreadable(totals, item.offset, item.at, item.reason)
        return None
    task = task_of(item.fact.task_id)
    if item.offset <= totals.offset:
        apply(task, item)
        return task
    before = look(task)
    apply(task, item)
    count(totals, before, task, item)
    statistics.count(before, task, item)
    return task


class Outbox(Generic[K]):
    """What facts make of the outbox, and which rows of dispatch's tables follow from it.

    Attributes:
        touched: what is remembered of every task that was told of.
        closed: rows of `dedup`. The row of a task that was opened again stays as it was: a row is only ever followed by
            a later one, so that whoever crashes between the two tables finds what the other one was made from.
    """

    def __init__(self, memory_of: Callable[[K], Memory | None]) -> None:
        """`memory_of`: what was remembered before; the outbox owns what it is given."""
        self._memory_of = memory_of
        self.touched: dict[K, Memory] = {}
        self.closed: dict[K, Closed] = {}

    def tell(self, key: K, recorded: Recorded) -> Memory:
        """Fold one fact of the task under `key`."""
        memory = remember(self.touched.get(key) or self._memory_of(key), recorded)
        self.touched[key] = memory
        if isinstance(memory, Closed):
            self.closed[key] = memory
        return memory

    @property
    def entries(self) -> dict[K, Open | None]:
        """Rows of `pending`; None where there is none any more."""
        return {key: memory if isinstance(memory, Open) else None for key, memory in self.touched.items()}
