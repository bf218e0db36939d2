"""One page of a list, as far as one partition goes: walks the index, a bounded number of steps, from a place on.

In: what is wanted, and the place behind which to go on. Out: entries in order, and how far the walk has come, so that
pages of several partitions can be merged without a gap (`pages`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Any

from sortedcontainers import SortedList

from agents.diary.index import Due, Odd, PartitionIndex
from agents.diary.place import Place
from agents.diary.recency import Recency
from agents.diary.summary import Summary, summary_view
from streamapp.clock import rfc3339
from streamapp.domain.expectation import why


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of tasks is filtered by; None and nothing are any. Times are milliseconds since the epoch.

    `before` and `after` bound the time of the last change.
    """

    states: tuple[str, ...] = ()
    type: str | None = None
    worker: str | None = None
    error: str | None = None
    anomaly: bool = False
    before: int | None = None
    after: int | None = None

    def fits(self, summary: Summary) -> bool:
        """Whether a summary is wanted, whenever it changed."""
        return (
            (not self.states or summary.state in self.states)
            and (self.type is None or summary.type == self.type)
            and (self.worker is None or summary.worker == self.worker)
            and (self.error is None or summary.error_type == self.error)
            and (not self.anomaly or summary.anomalies > 0)
        )


@dataclass(slots=True)
class Listed:
    """What one partition, or one process, has for a page.

    Attributes:
        entries: places, each with what stands there, in the order of the list.
        reached: how far it was walked, if not to the end.
        complete: whether everything wanted up to there is in the index at all.
    """

    entries: list[tuple[Place, Any]] = field(default_factory=list)
    reached: Place | None = None
    complete: bool = True


def tasks(index: PartitionIndex, wanted: Wanted, behind: Place | None, limit: int, steps: int) -> Listed:
    """Summaries of tasks, newest change first."""
    if wanted.before is not None:
        newest = Place(wanted.before, -1, -1)
        behind = newest if behind is None else min(behind, newest)
    page = Listed()
    for step, summary in enumerate(_walk(index, wanted, behind), 1):
        if wanted.after is not None and summary.order < wanted.after:
            return page
        place = index.place(summary)
        if wanted.fits(summary):
            page.entries.append((place, summary))
        if len(page.entries) == limit or step == steps:
            page.reached = place
            return page
    states = wanted.states or tuple(index.left_out)
    page.complete = not any(number for state, number in index.left_out.items() if state in states)
    return page


def _walk(index: PartitionIndex, wanted: Wanted, behind: Place | None) -> Iterator[Summary]:
    """The shortest list that has all that is wanted, from a place on."""
    lists: list[list[Recency]] = [[index.all]]
    if wanted.states:
        lists.append([index.marked("state", state) for state in wanted.states])
    if wanted.type is not None:
        lists.append([index.marked("type", wanted.type)])
    if wanted.worker is not None:
        lists.append([index.marked("worker", wanted.worker)])
    if wanted.error is not None:
        lists.append([index.marked("error", wanted.error)])
    if wanted.anomaly:
        lists.append([index.marked("anomaly", "true")])
    shortest = min(lists, key=lambda found: sum(map(len, found)))
    walks = [found.before(behind) for found in shortest]
    return walks[0] if len(walks) == 1 else merge(*walks, key=index.place, reverse=True)


def stuck(index: PartitionIndex, behind: Place | None, limit: int, now: int) -> Listed:
    """Summaries of open tasks of which something should have happened by now, longest overdue first."""
    return _sorted(index, merge(*(_due(index, dues, behind, below=now) for dues in index.deadlines.values())), limit)


def stuck_view(summary: Summary, now: int) -> dict[str, Any]:
    """A task that is stuck, as JSON."""
    reason = why(summary.what, summary.since, now)
    return {**summary_view(summary, now), "since": rfc3339(summary.since), "why": reason}


def retrying(index: PartitionIndex, behind: Place | None, limit: int) -> Listed:
    """Summaries of tasks that have failed and will be tried again, next due first."""
    return _sorted(index, _due(index, index.retrying, behind, below=None), limit)


def anomalies(index: PartitionIndex, behind: Place | None, limit: int) -> Listed:
    """Anomalies as JSON, newest first."""
    partition = index.partition
    places = ((Place(odd.at, partition, odd.anomaly.offset), odd) for odd in reversed(index.anomalies))
    found = ((place, odd) for place, odd in places if behind is None or place < behind)
    page = Listed([(place, _odd_view(odd, index)) for place, odd in islice(found, limit)])
    if len(page.entries) == limit:
        page.reached = page.entries[-1][0]
    else:
        page.complete = not index.anomalies_left_out
    return page


def _due(index: PartitionIndex, dues: "SortedList[Due]", behind: Place | None, below: int | None) -> Iterator[Due]:
    """Tasks of a list sorted by a moment, behind a place, up to below another moment."""
    first = None
    if behind is not None:
        offset = behind.offset + 1 if behind.partition == index.partition else 0
        later = behind.partition > index.partition
        first = Due(behind.at + later, 0 if later else offset, "")
    last = None if below is None else Due(below, -1, "")
    found: Iterator[Due] = dues.irange(first, last)
    return found


def _sorted(index: PartitionIndex, dues: Iterator[Due], limit: int) -> Listed:
    page = Listed()
    for due in islice(dues, limit):
        summary = index.get(due.task_id)
        if summary is not None:
            page.entries.append((Place(due.at, index.partition, due.offset), summary))
    if len(page.entries) == limit:
        page.reached = page.entries[-1][0]
    return page


def _odd_view(odd: Odd, index: PartitionIndex) -> dict[str, Any]:
    summary = index.get(odd.task_id)
    return {
        "taskId": odd.task_id,
        "type": odd.type if summary is None else summary.type,  # it may have become known later
        "partition": index.partition,
        "offset": odd.anomaly.offset,
        "fact": odd.anomaly.fact,
        "reason": odd.anomaly.reason,
        "at": rfc3339(odd.at),
    }
