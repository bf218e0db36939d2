"""One partition of a table seen at one moment: its rows, its applied offset, and a digest of both tables of one log.

In: a table of bytes, in this process or in the files of one that has stopped. Out: rows in key order with the applied
offset that belongs to them, and a sha256 over exactly these rows. What Faust and `BatchTable` note for themselves is
left out, so the digest says what was folded and nothing about when or how: the same records give the same digest.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from faust.stores.rocksdb import Store

from streamapp.stream.table import APPLIED_KEY, LANDMARK_KEY, BatchTable, NotHeld

Row = tuple[bytes, bytes]

BOOKKEEPING = frozenset({APPLIED_KEY, LANDMARK_KEY, Store.offset_key})
"""Keys of the applied offset, of the landmark, and of the changelog offset that Faust's store notes."""

ROWS_AT_ONCE = 500
BYTES_AT_ONCE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PartitionDigest:
    """Digest of one partition of a table. `applied` is the offset of the next record to fold, `sha256` in hex."""

    table: str
    partition: int
    applied: int
    rows: int
    sha256: str


class RowHash:
    """A sha256 over rows in the order given: the length of each key and value (8 bytes, big-endian), then the bytes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Go on with these rows."""
        for row in rows:
            for part in row:
                self._hash.update(len(part).to_bytes(8, "big"))
                self._hash.update(part)
            self.rows += 1

    def done(self, table: str, partition: int, applied: int) -> PartitionDigest:
        """The digest of all rows so far."""
        return PartitionDigest(table, partition, applied, self.rows, self._hash.hexdigest())


def digest_of(table: str, partition: int, applied: int, rows: Iterable[Row]) -> PartitionDigest:
    """Digest of rows, which have to come in key order."""
    hashed = RowHash()
    hashed.add(rows)
    return hashed.done(table, partition, applied)


class Look:
    """One look at a partition of a table in this process: what is written later is not seen.

    Raises:
        NotHeld: from everything, if the partition is not held here, or is taken away under way.
    """

    def __init__(self, table: BatchTable, partition: int) -> None:
        self._table = table
        self._partition = partition
        self._check()
        # Race: between these two nothing may be written. Writes come from this thread, and nothing is awaited here.
        # An iterator of RocksDB sees what was there when it was made; iterators of rocksdict's snapshots do not.
        self._items: Iterator[Row] = iter(table._store._dbs[partition].items())
        self.applied = table._read_applied(partition)

    async def chunks(self) -> AsyncIterator[list[Row]]:
        """Rows in key order, some at a time. They are read in a thread, and only while the partition is held.

        An open iterator would keep the files locked against the next assignment.
        """
        try:
            while rows := await asyncio.to_thread(_some, self._items):
                self._check()
                yield [row for row in rows if row[0] not in BOOKKEEPING]
        finally:
            del self._items

    async def digest(self) -> PartitionDigest:
        """Digest of all rows."""
        hashed = RowHash()
        async for rows in self.chunks():
            await asyncio.to_thread(hashed.add, rows)
        return hashed.done(self._table.name, self._partition, self.applied)

    def _check(self) -> None:
        if self._table.applied(self._partition) is None:
            raise NotHeld(f"{self._table.name}: partition {self._partition} is not held here")


def _some(items: Iterator[Row]) -> list[Row]:
    """The next rows: not so many that they would be heavy, nor so few that threads would be busy with nothing."""
    rows: list[Row] = []
    size = 0
    for row in islice(items, ROWS_AT_ONCE):
        rows.append(row)
        size += len(row[0]) + len(row[1])
        if size > BYTES_AT_ONCE:
            break
    return rows
