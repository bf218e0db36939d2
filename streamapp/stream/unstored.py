"""Rows of one partition of a table that are folded and not stored yet. In: puts of batches. Out: passes to store. Pure.

What many batches have put goes out in one pass, the last value of each key only: a task that is over before its pass
begins costs one row and not one for each of its facts. A deletion goes out too, even of a key that no pass has ever
had: another process may have written it meanwhile (`docs/decisions/0019-write-behind.md`).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

Value: TypeAlias = bytes | None
"""None deletes."""


class Absent(Enum):
    """No word of a key: neither a value nor a deletion."""

    ABSENT = 0


ABSENT: Final = Absent.ABSENT


class Pass(NamedTuple):
    """Rows that are stored together. `applied`: the offset up to which the facts are folded that made them."""

    rows: dict[bytes, Value]
    applied: int


class Unstored:
    """What readers have to see before the store.

    Attributes:
        passing: what is being stored; None if nothing is.
        size: bytes of the values that wait, those included that were put over.
    """

    def __init__(self) -> None:
        self.passing: Pass | None = None
        self.size = 0
        self._rows: dict[bytes, Value] = {}
        self._applied: int | None = None

    @property
    def empty(self) -> bool:
        """Whether the store has everything."""
        return self._applied is None and self.passing is None

    def put(self, puts: Mapping[bytes, Value], applied: int) -> None:
        """Note what a batch has changed."""
        self._rows.update(puts)
        self._applied = applied
        self.size += sum(len(value) for value in puts.values() if value is not None)

    def get(self, key: bytes) -> Value | Absent:
        """The value of `key`; ABSENT if the store is to be asked.

        Race: it may be asked in a thread. A row that is on its way is always in one of the places that come after each
        other here: what waits, what is passing, the store.
        """
        rows, passing = self._rows, self.passing
        if key in rows:
            return rows[key]
        return ABSENT if passing is None else passing.rows.get(key, ABSENT)

    def rows(self) -> dict[bytes, Value]:
        """Everything, as it is now."""
        return self._rows.copy() if self.passing is None else {**self.passing.rows, **self._rows}

    def take(self) -> None:
        """What waits becomes the pass that is stored next. Nothing may be passing."""
        if self._applied is not None:
            self.passing = Pass(self._rows, self._applied)
            self._rows, self._applied, self.size = {}, None, 0

    def done(self) -> None:
        """The pass is stored."""
        self.passing = None
