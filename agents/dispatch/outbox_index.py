"""What is due, by partition: an index over the outbox in memory, rebuilt from it whenever a gate opens.

Holds ids and times only; whoever acts reads the entry again and decides again, so a stale line here costs a look-up and
nothing else.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator

from streamapp.domain.dispatch import AwaitStart, Decision, Nothing, Wait
from streamapp.domain.progress import State


class PartitionIndex:
    """The open entries of one partition: ready now, due later, or awaiting their start."""

    def __init__(self) -> None:
        self._ready: OrderedDict[bytes, None] = OrderedDict()
        self._due: dict[bytes, int] = {}
        self._timers: list[tuple[int, bytes]] = []
        self._awaiting: dict[bytes, tuple[str, int]] = {}
        self._oldest: dict[str, list[tuple[int, bytes]]] = {}
        self._retries: set[bytes] = set()
        self._postponed: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._ready) + len(self._due) + len(self._awaiting)

    def __contains__(self, key: bytes) -> bool:
        """Whether an entry is filed, wherever."""
        return key in self._ready or key in self._due or key in self._awaiting

    @property
    def stages(self) -> dict[str, int]:
        """Entries by what they wait for: nothing any more, their not-before, their start, their outcome."""
        waiting, retries, postponed = len(self._due), len(self._retries), len(self._postponed)
        return {
            "due": len(self._ready) + postponed,
            "retry": retries,
            "awaiting_start": len(self._awaiting),
            "running": waiting - retries - postponed,
        }

    def put(self, key: bytes, decision: Decision, state: State) -> None:
        """File an entry in `state` under what was decided about it."""
        self.drop(key)
        match decision:
            case Wait(until):
                self._wait(key, until)
                if state is State.RETRY_SCHEDULED:
                    self._retries.add(key)
            case AwaitStart(queue, since):
                self._awaiting[key] = (queue, since)
                heapq.heappush(self._oldest.setdefault(queue, []), (since, key))
            case Nothing():
                pass
            case _:
                self._ready[key] = None

    def drop(self, key: bytes) -> None:
        """Forget an entry."""
        self._ready.pop(key, None)
        self._awaiting.pop(key, None)
        if key in self._due:
            self._fired(key)

    def postpone(self, key: bytes, until_ms: int) -> None:
        """Look at an entry again at `until_ms`."""
        self.drop(key)
        self._wait(key, until_ms)
        self._postponed.add(key)

    def take(self, limit: int, now_ms: int) -> list[bytes]:
        """Up to `limit` entries that are due, oldest first; they are no longer filed."""
        while self._timers and self._timers[0][0] <= now_ms:
            at, key = heapq.heappop(self._timers)
            if self._due.get(key) == at:
                self._fired(key)
                self._ready[key] = None
        taken: list[bytes] = []
        while self._ready and len(taken) < limit:
            taken.append(self._ready.popitem(last=False)[0])
        return taken

    def next_due(self) -> int | None:
        """When the next timer fires, in milliseconds since the epoch."""
        while self._timers and self._due.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def overtaken(self, started_up_to: Callable[[str], int], lost_after_ms: int) -> Iterator[bytes]:
        """Entries whose queue has moved on by more than `lost_after_ms` without them, oldest dispatch first."""
        for queue, oldest in self._oldest.items():
            bound = started_up_to(queue) - lost_after_ms
            while oldest and (oldest[0][0] < bound or self._awaiting.get(oldest[0][1]) != (queue, oldest[0][0])):
                since, key = heapq.heappop(oldest)
                if self._awaiting.get(key) == (queue, since):
                    yield key

    def _fired(self, key: bytes) -> None:
        """It waits for no timer any more."""
        del self._due[key]
        self._retries.discard(key)
        self._postponed.discard(key)

    def _wait(self, key: bytes, until: int) -> None:
        self._due[key] = until
        heapq.heappush(self._timers, (until, key))
