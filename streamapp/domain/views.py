"""What one record of the diary does to each view: the steps that every fold of it takes, in an agent or in memory.

In: a record, read as a fact or as unreadable, and the state before it. Out: the state after it. Tables are folded from
nothing else, so whoever takes the same steps over the same records gets the same rows: `tell_diary` for `tasks` and
`totals`, `outbox.remember` and `outbox_rows` for `pending` and `dedup`.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from streamapp.domain.facts import Recorded
from streamapp.domain.outbox import Closed, Memory, Open
from streamapp.domain.task import Task, apply
from streamapp.domain.totals import Totals, Unreadable, count, count_unreadable, look

Item: TypeAlias = Recorded | Unreadable
"""One record of the diary as it was read."""

K = TypeVar("K")


def tell_diary(item: Item, totals: Totals, task_of: Callable[[str], Task]) -> None:
    """Fold one record into the views `tasks` and `totals`, in place.

    Args:
        item: the record.
        totals: those of the record's partition.
        task_of: the task of an id, an empty one if nothing is known of it; the caller keeps what it gave out.
    """
    if isinstance(item, Unreadable):
        count_unreadable(totals, item.offset, item.at, item.reason)
        return
    task = task_of(item.fact.task_id)
    before = look(task)
    apply(task, item)
    count(totals, before, task, item)


def outbox_rows(memories: Mapping[K, Memory]) -> tuple[dict[K, Closed], dict[K, Open | None]]:
    """What memories mean for the tables of dispatch: rows of `dedup`, and rows of `pending` (None: no row any more)."""
    closed = {key: memory for key, memory in memories.items() if isinstance(memory, Closed)}
    entries = {key: memory if isinstance(memory, Open) else None for key, memory in memories.items()}
    return closed, entries
