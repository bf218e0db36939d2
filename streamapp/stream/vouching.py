"""Which rows of a changelog count: every row says up to which offset of the diary its writer had folded.

In: rows in the order of the changelog. Out: those that may be restored. A table's partition has one owner, but a
process that stood still while its partition was given to another one may still write a pass that is long out of date,
and the last row of a key is then not the newest. Such a row is told by its header: below the highest applied offset
that the changelog has vouched for, a row says nothing new (`docs/decisions/0012-strangers-in-a-changelog.md`). Pure.
"""

from collections.abc import Iterable

HEADER = "applied"
"""Name of the header: the applied offset that the pass of this row ends with, in decimal digits."""

Headers = Iterable[tuple[str, bytes]]


def headers(applied: int) -> list[tuple[str, bytes]]:
    """The headers of a row that is written by a pass up to `applied`."""
    return [(HEADER, b"%d" % applied)]


def applied_of(found: Headers) -> int | None:
    """What the headers of a row say; None if nobody wrote them."""
    for name, value in found:
        if name == HEADER and value.isdigit():
            return int(value)
    return None


class Sieve:
    """Lets the rows of one partition pass that count.

    Attributes:
        vouched: the highest applied offset that a marker has vouched for so far.
        spoiled: keys whose last row in the changelog is out of date, and has to be written again by the owner.
    """

    def __init__(self, marker: bytes, vouched: int) -> None:
        self._marker = marker
        self.vouched = vouched
        self.spoiled: set[bytes] = set()

    def counts(self, key: bytes, applied: int | None) -> bool:
        """Whether the row of `key`, written by a pass up to `applied`, is to be restored.

        A row at or above what is vouched for is as good as any: facts that it has and the marker has not are ignored
        when they are folded again. None is a row from before there were headers: the last one counts.
        """
        if applied is not None and applied < self.vouched:
            if key != self._marker:
                self.spoiled.add(key)
            return False
        self.spoiled.discard(key)
        if key == self._marker and applied is not None:
            self.vouched = applied
        return True
