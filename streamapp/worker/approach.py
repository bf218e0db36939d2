"""How many jobs may be claimed and started before a slot is free for them.

In: how long preparing a job and running its handler take. Out: leave to prepare one more. Claim and start cost round
trips, and a slot that waits for them runs nothing. But a job that is prepared is out of every other worker's reach, and
its start is in the diary: so one is prepared ahead only if, by what the last jobs took, a slot will be free as soon as
it is ready. Behind handlers that take long nobody is.
"""

import asyncio
from collections import deque

from streamapp.clock import Clock

SHORT_SECONDS = 0.25
"""While a handler has been running for longer than this, nothing is prepared ahead."""
SHORTEST_SECONDS = 0.0005
"""No handler is taken to be quicker, loop and all."""
MOST_AHEAD = 200
SHARE_OF_THE_LATEST = 0.1
"""Weight of the latest job in the averages."""


class Place:
    """Leave to prepare one job; it stays taken until the job's handler has ended."""

    def __init__(self, approach: "Approach", now: float) -> None:
        self._approach = approach
        self._taken_at = now
        self.begun_at: float | None = None
        self._freed = False

    def ready(self) -> None:
        """Claimed and started; a slot is what is missing."""
        self._approach.prepared(self._taken_at)

    def begin(self) -> None:
        """The handler begins."""
        self._approach.begins(self)

    def free(self) -> None:
        """The handler has ended, or will never begin. A second time changes nothing."""
        if not self._freed:
            self._freed = True
            self._approach.give_back(self)


class Approach:
    """Places for `size` running handlers, and for those who will be ready when one of them ends."""

    def __init__(self, size: int, clock: Clock) -> None:
        self._size = size
        self._clock = clock
        self._taken = 0
        self._queue: deque[asyncio.Future[Place]] = deque()
        self._running: dict[Place, float] = {}
        self._preparing_seconds: float | None = None
        self._running_seconds: float | None = None

    @property
    def ahead(self) -> int:
        """How many may be on their way beyond those that there are slots for."""
        if self._preparing_seconds is None or self._running_seconds is None:
            return 0
        longest = next(iter(self._running.values()), None)
        if longest is not None and self._clock.monotonic() - longest > SHORT_SECONDS:
            return 0
        ending_meanwhile = self._size * self._preparing_seconds / max(self._running_seconds, SHORTEST_SECONDS)
        return min(int(ending_meanwhile), MOST_AHEAD)

    async def take(self) -> Place:
        """Wait for a place; first come, first served."""
        turn: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            # Race: the turn may have come in the same instant as the cancellation; then it is given back unused.
            if turn.done() and not turn.cancelled():
                turn.result().free()
            else:
                self._queue.remove(turn)
            raise

    def prepared(self, taken_at: float) -> None:
        """Called by a place."""
        self._preparing_seconds = _average(self._preparing_seconds, self._clock.monotonic() - taken_at)

    def begins(self, place: Place) -> None:
        """Called by a place."""
        place.begun_at = self._running[place] = self._clock.monotonic()

    def give_back(self, place: Place) -> None:
        """Called by a place."""
        self._taken -= 1
        self._running.pop(place, None)
        if place.begun_at is not None:
            self._running_seconds = _average(self._running_seconds, self._clock.monotonic() - place.begun_at)
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._taken < self._size + self.ahead:
            turn = self._queue.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(Place(self, self._clock.monotonic()))


def _average(known: float | None, latest: float) -> float:
    return latest if known is None else known + SHARE_OF_THE_LATEST * (latest - known)
