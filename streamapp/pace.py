"""Paces work that is cheaper the more of it is done at once: the more comes, the longer are the turns it is done in.

In: somebody who has something to send. Out: the moment to send it. While little comes nobody waits; when much comes,
what comes in one turn goes together.
"""

import asyncio
import time

WINDOW_SECONDS = 0.25


class Load:
    """How much comes, over the last quarter of a second or so. May be asked from another thread."""

    def __init__(self) -> None:
        self._level = 0.0
        self._at = time.monotonic()

    def came(self, pieces: int) -> None:
        """So much more."""
        self._level = self._now() + pieces

    @property
    def per_second(self) -> float:
        """Pieces a second."""
        return self._now() / WINDOW_SECONDS

    def _now(self) -> float:
        now = time.monotonic()
        passed, self._at = now - self._at, now
        self._level *= max(1 - passed / WINDOW_SECONDS, 0.0)
        return self._level


class Turns:
    """How far apart turns are: not at all up to `freely` pieces a second, `longest` seconds from `fully` on."""

    def __init__(self, longest: float, freely: float = 0.0, fully: float = 0.0, shortest: float = 0.0) -> None:
        self._shortest, self._longest = shortest, longest
        self._freely, self._fully = freely, fully
        self._load = Load()

    def came(self, pieces: int = 1) -> None:
        """So much more is to be sent."""
        self._load.came(pieces)

    @property
    def seconds(self) -> float:
        """The length of a turn at present."""
        if self._fully <= self._freely:
            return self._longest
        share = (self._load.per_second - self._freely) / (self._fully - self._freely)
        return max(self._longest * min(share, 1.0), self._shortest)


class Pace:
    """Turns that somebody waits for. Everybody who asks within one turn of the event loop gets the same one."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._last = float("-inf")
        self._open = False

    def came(self, pieces: int = 1) -> None:
        """So much more is to be sent."""
        self._turns.came(pieces)

    async def turn(self) -> None:
        """Wait for the next turn; it is now if there was none for a while, or little has come lately."""
        loop = asyncio.get_running_loop()
        while not self._open:
            wait = self._last + self._turns.seconds - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            self._last = loop.time()
            self._open = True
            loop.call_soon(self._shut)

    def _shut(self) -> None:
        self._open = False
