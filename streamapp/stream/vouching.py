"""Which rows of a changelog count: every row says up to which offset of the diary its writer had folded.

In: rows in the order of the changelog. Out: those that may be restored. A table's partition has one owner, but a
process that stood still while its partition was given to another one may still write a pass that is long out of date,
and the last row of a key is then not the newest. Such a row is told by its header: below the highest applied offset
that the changelog has vouched for, or below that of an earlier row of its key, a row says nothing new
(`docs/decisions/0012-strangers-in-a-changelog.md`).

A changelog that was acknowledged and not flushed may lose its tail in a power cut, while whoever wrote it lives on and
writes behind the loss. Every row says where its writer believed the changelog to end: a row that lies before that place
follows a loss, and what precedes it is not to be restored (`docs/decisions/0017-changelogs-that-lost-their-tail.md`).
Pure.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

HEADER = "applied"
"""Name of the header: the applied offset that the pass of this row ends with, and the place where the writer believed
that the changelog ends, in decimal digits with an @ between."""

Headers = Iterable[tuple[str, bytes]]
Put: TypeAlias = tuple[bytes, bytes | None]
"""A key and its value; None deletes it."""


class Stamp(NamedTuple):
    """What a row says of its writer. `applied` is None, and `after` 0, where nobody has said anything."""

    applied: int | None
    after: int


NOBODYS = Stamp(None, 0)


class Marker(msgspec.Struct, omit_defaults=True):
    """The last row of every pass.

    Attributes:
        next: the applied offset: the next fact to fold.
        partitions: of the topic that the table is folded from.
        losses: how often this partition's changelog is known to have lost rows that are in no later one.
        form: of the rows: what cannot be read by who reads another form.
    """

    next: int
    partitions: int
    losses: int = 0
    form: int = 1


encode_marker = msgspec.json.Encoder().encode
decode_marker = msgspec.json.Decoder(Marker).decode


def headers(applied: int, after: int) -> list[tuple[str, bytes]]:
    """The headers of a row that is written by a pass up to `applied`, to lie at changelog offset `after` or behind."""
    return [(HEADER, b"%d@%d" % (applied, after))]


def stamp_of(found: Headers) -> Stamp:
    """What the headers of a row say."""
    for name, value in found:
        if name == HEADER:
            applied, _, after = value.partition(b"@")
            if applied.isdigit():
                return Stamp(int(applied), int(after) if after.isdigit() else 0)
    return NOBODYS


class Sieve:
    """Lets the rows of one partition pass that count, each once a marker has vouched for it.

    What it has let pass is the table as it was at `vouched`, to the row. Rows of a pass whose marker is missing wait
    for it, or for that of a longer pass: they would be ahead of the table, and a deletion does not say how far.

    Attributes:
        vouched: the highest applied offset that a marker has vouched for so far.
        spoiled: keys whose last row in the changelog is out of date, and has to be written again by the owner.
    """

    def __init__(self, marker: bytes, vouched: int) -> None:
        self._marker = marker
        self._beyond: dict[bytes, int] = {}
        self._waiting: dict[int, dict[bytes, bytes | None]] = {}
        self.vouched = vouched
        self.spoiled: set[bytes] = set()

    def begin_anew(self) -> None:
        """Nothing was read, and nothing is vouched for."""
        self._beyond.clear()
        self._waiting.clear()
        self.spoiled.clear()
        self.vouched = 0

    def take(self, key: bytes, value: bytes | None, applied: int | None) -> list[Put]:
        """The rows to be written because of this one, in order; a marker comes last. A value of None deletes."""
        counts = self.counts(key, applied)
        if applied is None:
            self._forget(key)
            return [(key, value)]
        if key == self._marker:
            return [*self._vouched(applied), (key, value)] if counts else []
        if applied > self.vouched:
            self._waiting.setdefault(applied, {})[key] = value
            return []
        return [(key, value)] if counts else []

    def take_all(self, rows: Sequence[Put], applied: int | None) -> list[Put]:
        """The same for rows that follow one another, written by one pass; only the last of them may be its marker.

        Where no longer pass has begun, as nearly always, they wait for the marker without a look at each.
        """
        *rest, last = rows
        if applied is None or applied <= self.vouched or applied < max(self._beyond.values(), default=0):
            return [put for key, value in rows for put in self.take(key, value, applied)]
        self.spoiled.difference_update([key for key, _ in rest])
        self._waiting.setdefault(applied, {}).update(rest)
        self._beyond.update((key, applied) for key, _ in rest)
        return self.take(*last, applied)

    def end(self) -> None:
        """All is read. Keys of rows that nothing vouches for are to be written again: a compaction would keep those."""
        for rows in self._waiting.values():
            self.spoiled.update(rows)

    def counts(self, key: bytes, applied: int | None) -> bool:
        """Whether the row of `key`, written by a pass up to `applied`, is the newest one so far.

        Of two rows beyond what is vouched for the one of the longer pass is, because passes of two writers may lie
        within each other. None is a row from before there were headers: the last one counts.
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

    def _vouched(self, applied: int) -> list[Put]:
        """The rows that have waited for a marker like this one, those of the longest pass last."""
        passes = sorted(known for known in self._waiting if known <= applied)
        return [row for known in passes for row in self._waiting.pop(known).items()]

    def _forget(self, key: bytes) -> None:
        for rows in self._waiting.values():
            rows.pop(key, None)

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
