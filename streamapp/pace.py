"""Paces work that is cheaper the more of it is done at once: under load it is done in turns.

In: somebody who has something to send. Out: the moment to send it. While little comes nobody waits; when more comes
than is cheap to send piece by piece, turns are so far apart that what comes meanwhile goes together.
"""

import asyncio

BURST_SECONDS = 0.1
"""So much of a second's `freely` may come at once before turns are kept."""


class Pace:
    """Turns at least `seconds` apart while more than `freely` pieces come in a second.

    Everybody who asks within one turn of the event loop gets the same one. Pieces are counted by `came`.
    """

    def __init__(self, seconds: float, freely: float = 0.0) -> None:
        self._seconds = seconds
        self._freely = freely
        self._left = self._burst = freely * BURST_SECONDS
        self._filled_at = 0.0
        self._next = 0.0
        self._open = False

    def came(self, pieces: int = 1) -> None:
        """So much more is to be sent."""
        now = asyncio.get_running_loop().time()
        self._left = min(self._left + (now - self._filled_at) * self._freely, self._burst) - pieces
        self._left = max(self._left, -self._burst)
        self._filled_at = now

    async def turn(self) -> None:
        """Wait for the next turn; it is now if there was none for a while, or little has come lately."""
        loop = asyncio.get_running_loop()
        while not self._open:
            wait = self._next - loop.time()
            if wait > 0 and self._left <= 0:
                await asyncio.sleep(wait)
                continue
            self._next = loop.time() + self._seconds
            self._open = True
            loop.call_soon(self._shut)

    def _shut(self) -> None:
        self._open = False
