"""Where a changelog ends, as its owner knows it, and what others have written there. Pure.

In: the places that Kafka gives to the owner's record batches. Out: gaps in which somebody else has written, and whether
the changelog has lost rows: then it gives a place once more.
"""

from collections.abc import Sequence
from typing import Any

from streamapp.stream.vouching import stamp_of


class ChangelogEnd:
    """One partition's changelog, from when it is held.

    Attributes:
        last: offset of the last record that is in the store, or was written with it; -1 for none.
        losses: how often the changelog has lost rows, as the store's marker counts it.
        gaps: where somebody else has written: from the first offset up to the second one, not included.
        torn: whether rows were lost that `losses` does not count yet.
    """

    def __init__(self, last: int, losses: int) -> None:
        self.last = last
        self.losses = losses
        self.gaps: list[tuple[int, int]] = []
        self.torn = False

    @property
    def next(self) -> int:
        """Where the next record comes to lie, if nobody else writes and nothing is lost."""
        return self.last + 1

    def note(self, offset: int, count: int) -> None:
        """A record batch of `count` records was given the place `offset`."""
        if offset < self.next:
            self.torn = True
        elif offset > self.next:
            self.gaps.append((self.next, offset))
        self.last = offset + count - 1

    @property
    def alone(self) -> bool:
        """Whether nobody else has written between what was written here."""
        return not self.gaps

    @property
    def read_up_to(self) -> int:
        """How far the store has got in the changelog, when it has what was written last.

        Race: if we are the one that was taken for dead, the owner's rows lie between ours. They may be newer than what
        is in the store, and the next restore has to read them.
        """
        return self.last if self.alone else self.gaps[0][0] - 1

    def count_loss(self) -> bool:
        """Count what was lost, if anything was."""
        found, self.torn = self.torn, False
        self.losses += found
        return found


class Strangers:
    """What others have written where a pass up to `applied` is about to be written.

    Attributes:
        spoiled: keys of which they wrote an older row.
        ahead: whether they have folded further.
        torn: whether a row follows rows that are lost. A request of our own may have come twice, and hide it.
    """

    def __init__(self, applied: int, bookkeeping: bytes) -> None:
        self._applied = applied
        self._bookkeeping = bookkeeping
        self.spoiled: set[bytes] = set()
        self.ahead = self.torn = False

    def look(self, records: Sequence[Any]) -> None:
        """Read a few of their rows."""
        for record in records:
            applied, after = stamp_of(record.headers)
            self.torn = self.torn or after > record.offset
            if applied is None or applied > self._applied:
                self.ahead = True
            elif applied < self._applied and record.key != self._bookkeeping:
                self.spoiled.add(record.key)
