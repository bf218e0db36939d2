"""How a person writes durations and moments on the command line, and how they are written for a person.

In: `90`, `15m`, `2h`, `7d`; RFC 3339. Out: seconds, and moments as the diary reads them.
"""

import math
import re
from typing import Any

import click

from streamapp.clock import SystemClock, milliseconds_of, rfc3339

MOST_SECONDS = 100 * 365 * 86_400.0
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,3})?)([smhd]?)")


class Duration(click.ParamType):
    """Seconds, or a number with s, m, h or d; at most `most` seconds."""

    name = "DURATION"

    def __init__(self, most: float = MOST_SECONDS) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(f"{value!r} is no duration, such as 90, 15m, 2h or 7d", param, ctx)
        if seconds > self._most:
            self.fail(f"{value!r} is longer than {span(round(self._most * 1000))}", param, ctx)
        return seconds


class Moment(click.ParamType):
    """A time as RFC 3339, or a duration: so long ago by this machine's clock."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As RFC 3339."""
        seconds = 0.0 if value == "now" else seconds_of(str(value))
        if seconds is not None:
            return rfc3339(max(SystemClock().now_ms() - round(seconds * 1000), 0))
        try:
            milliseconds_of(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: give 2026-01-31T12:00:00Z, or 2h for two hours ago", param, ctx)
        return str(value)


def seconds_of(text: str) -> float | None:
    """Seconds of a duration; None if it is none, or longer than a hundred years."""
    found = _DURATION.fullmatch(text)
    seconds = math.inf if found is None else float(found[1]) * _UNITS[found[2]]
    return seconds if seconds <= MOST_SECONDS else None


def number(seconds: float) -> str:
    """Seconds as the diary reads them."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def between(first: str | None, last: str | None) -> str:
    """How long it was from one moment to another one, floored at zero; nothing if one of them is not known."""
    if first is None or last is None:
        return ""
    return span(milliseconds_of(last) - milliseconds_of(first))


def span(milliseconds: int) -> str:
    """A span of time for a person."""
    seconds = max(milliseconds, 0) / 1000
    if seconds < 10:
        return f"{max(milliseconds, 0)} ms" if seconds < 1 else f"{seconds:.1f} s"
    for unit, size, below in (("s", 1, 120), ("min", 60, 120), ("h", 3_600, 48)):
        if seconds < size * below:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
