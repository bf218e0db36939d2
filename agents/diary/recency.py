"""Summaries in the order in which their tasks changed last, newest last: append only, and the gone ones swept out.

In: summaries with rising offsets. Out: walks from a place backwards. Every change of a task costs one append to each
list that it is in; what is left behind is swept when it may be half of the list, so that a walk meets few of them.
"""

from bisect import bisect_left
from collections.abc import Iterator

from agents.diary.place import Place
from agents.diary.summary import Summary

SWEEP_FROM = 64


class Recency:
    """One list of the summaries of one partition."""

    __slots__ = ("_entries", "_limit", "_partition")

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._entries: list[Summary] = []
        self._limit = SWEEP_FROM

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, summary: Summary) -> None:
        """Add the summary of the task that changed last."""
        entries = self._entries
        entries.append(summary)
        if len(entries) >= self._limit:
            self.sweep()

    def sweep(self) -> int:
        """Leave out what is gone. Returns how many are left."""
        self._entries = [entry for entry in self._entries if not entry.gone]
        self._limit = max(SWEEP_FROM, 2 * len(self._entries))
        return len(self._entries)

    def place(self, summary: Summary) -> Place:
        """Where a summary of this partition stands."""
        return Place(summary.order, self._partition, summary.offset)

    def before(self, place: Place | None) -> Iterator[Summary]:
        """From just below a place (None: from the newest) down, without what is gone."""
        entries = self._entries
        position = len(entries) if place is None else bisect_left(entries, place, key=self.place)
        while position > 0:
            position -= 1
            entry = entries[position]
            if not entry.gone:
                yield entry

    def oldest(self) -> Iterator[Summary]:
        """From the oldest up, without what is gone."""
        return (entry for entry in self._entries if not entry.gone)
