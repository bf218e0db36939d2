"""Paces work that is cheaper the more of it is done at once: turns that come at most so often.

In: somebody who has something to send. Out: the moment to send it. Whoever comes after a quiet time has his turn at
once, so nobody waits for a timer while there is little to do; under load everybody who came meanwhile goes together.
"""

import asyncio


class Pace:
    """Turns at least `seconds` apart. Everybody who asks within one turn of the event loop gets the same one."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0
        self._open = False

    async def turn(self) -> None:
        """Wait for the next turn; if there was none for a while, it is now."""
        loop = asyncio.get_running_loop()
        while not self._open:
            wait = self._next - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            self._next = loop.time() + self._seconds
            self._open = True
            loop.call_soon(self._shut)

    def _shut(self) -> None:
        self._open = False
