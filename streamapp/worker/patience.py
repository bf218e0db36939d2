"""Waiting for a broker in place: try again for ever, a little less often each time, and say so once.

In: a question that may raise Unavailable. Out: its answer, however long that takes. Cancel it to give up.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from streamapp.clock import Clock
from streamapp.domain.errors import Unavailable
from streamapp.telemetry import Log, describe

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 2.0

Result = TypeVar("Result")


class Patience:
    """One warning per outage, whoever meets it; one line when it is over."""

    def __init__(self, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log
        self._trouble: type[Unavailable] | None = None
        self._since = 0.0

    async def insist(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        """The answer of `ask`, asked again after every Unavailable."""
        delay = FIRST_DELAY_SECONDS
        while True:
            try:
                answer = await ask()
            except Unavailable as error:
                self._down(error)
                await self._clock.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_SECONDS)
            else:
                self._up()
                return answer

    def _down(self, error: Unavailable) -> None:
        if self._trouble is None:
            self._since = self._clock.monotonic()
        if self._trouble is not type(error):
            self._trouble = type(error)
            self._log.warning("the guard does not answer; nothing is run or acked until it does", error=describe(error))

    def _up(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            self._log.info("the guard answers again", down_seconds=round(self._clock.monotonic() - self._since, 1))
