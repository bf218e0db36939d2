"""Rows of one partition of a table that are folded and not stored yet. In: puts of batches. Out: passes to store. Pure.

What many batches have put goes out in one pass, the last value of each key only: a task that is over before its pass
begins costs one row and not one for each of its facts. A deletion goes out too, even of a key that no pass has ever
had: another process may have written it meanwhile (`docs/decisions/0019-write-behind.md`).
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Value: TypeAlias = bytes | None
"""None deletes."""


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

    def has(self, key: bytes) -> bool:
        """Whether the store is not to be asked about `key`."""
        return key in self._rows or (self.passing is not None and key in self.passing.rows)

    def get(self, key: bytes) -> Value:
        """The value of a key that it has."""
        return self._rows[key] if key in self._rows or self.passing is None else self.passing.rows[key]

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
