"""Time: the only place that reads it. Everything else is handed a Clock, so that tests can stop and step it."""

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """What streamapp needs of time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations and leases."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


class BrokerClock:
    """The time as Kafka's broker counts it, for whoever compares the present with a broker's time.

    Not-before is counted from the broker's time of the failure (`system.md`, Execution). This clock goes by monotonic
    time from the last moment that the broker has told, so that nobody who sets the machine's clock makes a retry early
    or late. Until the broker has told one, the machine's clock at the start is taken for right.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._origin_ms = clock.now_ms() - self._elapsed_ms()
        self.heard = False

    def hear(self, broker_ms: int, since: float) -> int:
        """Kafka has acknowledged a record, handed over at `since` (monotonic), that it appended at `broker_ms`.

        So the broker's time is now `broker_ms` at least, and more than that by at most what the answer took. Returns by
        how many milliseconds this clock was set: above zero if it was ahead.
        """
        now, latest = self.now_ms(), broker_ms + self._elapsed_ms() - int(since * 1000)
        wrong_by = now - min(max(now, broker_ms), latest)
        self._origin_ms -= wrong_by
        self.heard = True
        return wrong_by

    def now_ms(self) -> int:
        """Milliseconds since the epoch; off from the broker's own by no more than its quickest answer took."""
        return self._origin_ms + self._elapsed_ms()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)

    def _elapsed_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)


def rfc3339(milliseconds: int) -> str:
    """A time as RFC 3339 in UTC with milliseconds, as CloudEvents wants it."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_whole_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=16)
def _whole_second(seconds: int) -> str:
    """Most times that are written are now."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")


def milliseconds_of(text: str) -> int:
    """The inverse: an RFC 3339 time, whose offset from UTC is given, in milliseconds since the epoch.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text.upper():
        raise ValueError("a date, a T, a time, and Z or an offset")
    return round(moment.timestamp() * 1000)
