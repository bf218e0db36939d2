"""How far each partition has been applied and stored, as the tables themselves know it.

A committed offset proves nothing about state (`faust.md`), so nothing is ever decided from one: reading resumes at the
lowest stored offset of the tables that a topic feeds.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from streamapp.telemetry import get_log

log = get_log(__name__)


class Stored(Protocol):
    """A table that knows the offset up to which a partition's facts are in it for good."""

    name: str

    def stored(self, partition: int) -> int | None:
        """Offset of the next fact to apply; 0 if none was; None if the partition is not held here."""


def lowest(known: Iterable[int | None], default: int | None = None) -> int | None:
    """The lowest of the offsets of several tables; None if one of them has none, `default` if there is no table."""
    offsets = list(known)
    return None if None in offsets else min((offset for offset in offsets if offset is not None), default=default)


class Positions:
    """The tables behind each batch topic."""

    def __init__(self) -> None:
        self._tables: dict[str, list[Stored]] = {}
        self._readers: Counter[str] = Counter()
        self._complete: set[str] = set()
        self._standing: set[tuple[str, int]] = set()

    @property
    def standing_still(self) -> tuple[str, ...]:
        """Partitions that are not read because facts are gone from the log."""
        return tuple(f"{topic}-{partition}" for topic, partition in sorted(self._standing))

    def feed(self, topic: str, *tables: Stored, complete: bool) -> None:
        """Say that an agent folds `topic` into `tables`. `complete`: no record of it may ever be missing."""
        self._readers[topic] += 1
        self._tables.setdefault(topic, []).extend(tables)
        if complete:
            self._complete.add(topic)

    def readers(self, topic: str) -> int:
        """How many agents fold `topic`."""
        return self._readers[topic]

    def covers(self, topic: str) -> bool:
        """Whether `topic` is consumed in batches."""
        return topic in self._tables

    def complete(self, topic: str) -> bool:
        """Whether no record of `topic` may ever be missing."""
        return topic in self._complete

    @property
    def topics(self) -> tuple[str, ...]:
        """The batch topics."""
        return tuple(self._tables)

    def applied(self, topic: str, partition: int) -> int | None:
        """The lowest stored offset of the tables; None where one of them does not hold the partition."""
        return lowest(table.stored(partition) for table in self._tables.get(topic, ()))

    def furthest(self, topic: str, partition: int) -> int:
        """The highest stored offset of the tables: the topic has been at least so long."""
        return max((table.stored(partition) or 0 for table in self._tables.get(topic, ())), default=0)

    def resume_from(self, topic: str, partition: int, earliest: int, end: int) -> int | None:
        """Where to read on; None if it is not held, or must stand still because facts are gone from the log."""
        applied = self.applied(topic, partition)
        if applied is None:
            return None  # taken away again while it was being taken over
        place = {"topic": topic, "partition": partition, "applied": applied}
        self._standing.discard((topic, partition))
        if self.furthest(topic, partition) > end:
            self._standing.add((topic, partition))
            log.error(
                "the topic ends before what was folded of it: deleted and made again, or cut. This partition stands "
                "still; restore the topic, or rebuild the tables under another namespace",
                end=end,
                **place,
            )
            return None
        if earliest <= applied:
            return applied
        if topic not in self._complete:
            return earliest
        self._standing.add((topic, partition))
        log.error(
            "the diary has lost facts that were never folded here: this partition stands still; restore the topic",
            earliest=earliest,
            **place,
        )
        return None
