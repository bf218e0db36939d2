"""Which rows of a changelog count: every row says up to which offset of the diary its writer had folded.

In: rows in the order of the changelog. Out: those that may be restored. A table's partition has one owner, but a
process that stood still while its partition was given to another one may still write a pass that is long out of date,
and the last row of a key is then not the newest. Such a row is told by its header: below the highest applied offset
that the changelog has vouched for, or below that of an earlier row of its key, a row says nothing new
(`docs/decisions/0012-strangers-in-a-changelog.md`). Pure.
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
        self._beyond: dict[bytes, int] = {}
        self.vouched = vouched
        self.spoiled: set[bytes] = set()

    def counts(self, key: bytes, applied: int | None) -> bool:
        """Whether the row of `key`, written by a pass up to `applied`, is to be restored.

        A row beyond what is vouched for is as good as any: facts that it has and the marker has not are ignored when
        they are folded again. Of two such rows of a key the one of the longer pass counts, because passes of two
        writers may lie within each other. None is a row from before there were headers: the last one counts.
        """
        if applied is None:
            self._beyond.pop(key, None)
            return True
        if key == self._marker:
            return self._vouch(applied)
        if applied < self.vouched or applied < self._beyond.get(key, 0):
            self.spoiled.add(key)
            return False
        self.spoiled.discard(key)
        if applied > self.vouched:
            self._beyond[key] = applied
        return True

    @property
    def whole(self) -> bool:
        """Whether no pass lacks its marker: from here the changelog can be read on without what lies before."""
        return not self._beyond

    def _vouch(self, applied: int) -> bool:
        if applied < self.vouched:
            return False
        self.vouched = applied
        self._beyond = {key: known for key, known in self._beyond.items() if known > applied}
        return True
