"""What was just folded, for those who watch: a bounded memory of each partition, and a queue for each watcher.

In: the facts of each batch with the state they led to, once it is folded. Out: events in order. Nothing is kept unless
somebody watches, or did a moment ago; a watcher that is too slow is told how many it has missed.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from streamapp.clock import Clock, rfc3339
from streamapp.domain.facts import Recorded
from streamapp.domain.task import Task
from streamapp.wire import json

KEPT = 2_000
"""Events remembered for each partition, for watchers that come back."""

KEEP_SECONDS = 60.0
"""So long after the last watcher has gone events are remembered."""

MAX_WATCHERS = 100
MAX_UNSENT = 5_000


class Event(NamedTuple):
    """A fact, and how its task stood after it."""

    partition: int
    recorded: Recorded
    type: str | None
    state: str
    attempt: int

    @property
    def offset(self) -> int:
        """Of the fact, in its partition."""
        return self.recorded.offset

    def data(self) -> bytes:
        """The event as JSON."""
        fact = self.recorded.fact
        view = {
            "taskId": fact.task_id,
            "type": self.type,
            "fact": fact.NAME,
            "state": self.state,
            "attempt": self.attempt,
            "worker": getattr(fact, "worker", None),
            "partition": self.partition,
            "offset": self.recorded.offset,
            "at": rfc3339(self.recorded.at),
        }
        return json.dump(view)


class Line(Protocol):
    """An event of this process or of another one."""

    @property
    def partition(self) -> int:
        """Of the fact."""

    @property
    def offset(self) -> int:
        """Of the fact."""

    def data(self) -> bytes:
        """The event as JSON."""


class Gap(NamedTuple):
    """Facts of a partition, from an offset on to below another one, that are not remembered."""

    partition: int
    first: int
    end: int


class TooMany(Exception):
    """So many watch already that another one is refused."""


class Watcher:
    """One who watches."""

    def __init__(self) -> None:
        self.unsent: deque[Line] = deque()
        self.gaps: list[Gap] = []
        self.skipped = 0
        self._something = asyncio.Event()

    def push(self, events: Sequence[Line]) -> None:
        """Hand over events; beyond the bound they are only counted."""
        room = MAX_UNSENT - len(self.unsent)
        self.unsent.extend(events[:room])
        self.miss(max(len(events) - room, 0))

    def miss(self, number: int) -> None:
        """Say that so many events cannot be told."""
        self.skipped += number
        self._something.set()

    async def something(self, seconds: float) -> bool:
        """Wait until there is something to send; false after so long without."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._something.wait()
        self._something.clear()
        return bool(self.unsent or self.skipped or self.gaps)


class Events:
    """The events of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._left_at: float | None = None
        self._kept: dict[int, deque[Event]] = {}
        self._complete_from: dict[int, int] = {}
        self._next: dict[int, int] = {}

    def wanted(self) -> bool:
        """Whether the next batch is to be told."""
        if self._watchers:
            return True
        if self._left_at is not None and self._clock.monotonic() - self._left_at > KEEP_SECONDS:
            self._left_at = None
            self.forget()
        return self._left_at is not None

    def tell(self, partition: int, start: int, end: int, events: list[Event]) -> None:
        """Tell what a batch from offset `start` to below `end` has brought."""
        kept = self._kept.get(partition)
        if kept is None or self._next[partition] != start:  # it was folded elsewhere meanwhile
            kept = self._kept[partition] = deque(maxlen=KEPT)
            self._complete_from[partition] = start
        self._next[partition] = end
        if len(kept) + len(events) > KEPT and (surplus := len(kept) + len(events) - KEPT):
            last_lost = events[surplus - len(kept) - 1] if surplus > len(kept) else kept[surplus - 1]
            self._complete_from[partition] = last_lost.recorded.offset + 1
        kept.extend(events)
        for watcher in self._watchers:
            watcher.push(events)

    def forget(self) -> None:
        """Remember nothing."""
        self._kept.clear()
        self._complete_from.clear()
        self._next.clear()

    def watch(self, seen: Mapping[int, int], applied: Mapping[int, int]) -> Watcher:
        """A new watcher, who gets what is remembered after the offsets `seen`, by partition, and all that comes.

        `applied`: the next offset of each partition held here. What cannot be told any more is in the watcher's gaps.

        Raises:
            TooMany: more than `MAX_WATCHERS` watch.
        """
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooMany
        watcher = Watcher()
        for partition, offset in seen.items():
            end = applied.get(partition)
            if end is None or end <= offset + 1:
                continue
            known = self._complete_from.get(partition, end)
            if offset + 1 < known:
                watcher.gaps.append(Gap(partition, offset + 1, known))
            watcher.push([event for event in self._kept.get(partition, ()) if event.recorded.offset > offset])
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """The watcher is gone."""
        self._watchers.discard(watcher)
        self._left_at = self._clock.monotonic()


def event_of(partition: int, recorded: Recorded, task: Task) -> Event:
    """The event of a fact that was just folded into `task`."""
    return Event(partition, recorded, task.type, task.progress.state, task.progress.attempt)
