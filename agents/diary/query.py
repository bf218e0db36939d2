"""Parameters of a question, read strictly: a name that a view does not know is a mistake, not something to ignore."""

import re
from collections.abc import Iterable

from aiohttp import web

from agents.diary.problems import Problem
from streamapp.clock import milliseconds_of

MAX_TEXT_BYTES = 2_048
_WHOLE = re.compile(r"[0-9]{1,15}")
_PLACE = re.compile(r"([0-9]{1,6}):([0-9]{1,18})")


class Query:
    """The parameters of one request; `known` names those that the view has.

    Raises:
        Problem: 400, from everything, with the name of the parameter and what it has to be.
    """

    def __init__(self, request: web.Request, known: Iterable[str]) -> None:
        self._values = request.query
        names = sorted(known)
        unknown = sorted(set(self._values) - set(names))
        if unknown:
            there = f"it has {', '.join(names)}" if names else "it has none"
            raise Problem("invalid-parameter", f"this view has no parameter {unknown[0][:100]!r}; {there}")

    def text(self, name: str) -> str | None:
        """A text; None if it is not given."""
        found = self._values.getall(name, [])
        if len(found) > 1:
            raise self._wrong(name, "given once")
        if not found:
            return None
        if not found[0] or len(found[0].encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            raise self._wrong(name, f"1 to {MAX_TEXT_BYTES} bytes long")
        return found[0]

    def choices(self, name: str, allowed: Iterable[str]) -> tuple[str, ...]:
        """Values of a parameter that may be repeated."""
        found, there = tuple(dict.fromkeys(self._values.getall(name, []))), tuple(allowed)
        if not set(found) <= set(there):
            raise self._wrong(name, f"one of {', '.join(there)}")
        return found

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        given = self.text(name)
        if given is None:
            return default
        if not _WHOLE.fullmatch(given) or not least <= int(given) <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return int(given)

    def seconds(self, name: str, most: float) -> float | None:
        """Seconds, also with a fraction, from 0 to `most`; None if it is not given."""
        given = self.text(name)
        if given is None:
            return None
        try:
            found = float(given)
        except ValueError:
            found = -1.0
        if not 0 <= found <= most:  # false for NaN, too
            raise self._wrong(name, f"a number of seconds from 0 to {most:g}")
        return found

    def flag(self, name: str) -> bool:
        """Whether it is `true`; absent or `false` is false."""
        given = self.text(name)
        if given not in (None, "true", "false"):
            raise self._wrong(name, "true or false")
        return given == "true"

    def moment(self, name: str) -> int | None:
        """A time as RFC 3339, in milliseconds since the epoch; None if it is not given."""
        given = self.text(name)
        if given is None:
            return None
        try:
            return milliseconds_of(given.replace(" ", "+"))  # what a plus that nobody has quoted comes as
        except ValueError:
            raise self._wrong(name, "a time as RFC 3339, such as 2026-01-31T12:00:00Z") from None

    def place(self, name: str) -> tuple[int, int] | None:
        """A place of the diary, PARTITION:OFFSET; None if it is not given."""
        given = self.text(name)
        if given is None:
            return None
        found = _PLACE.fullmatch(given)
        if found is None:
            raise self._wrong(name, "PARTITION:OFFSET")
        return int(found[1]), int(found[2])

    def _wrong(self, name: str, wanted: str) -> Problem:
        return Problem("invalid-parameter", f"{name} has to be {wanted}")
