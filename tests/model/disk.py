"""The tables of a simulated dispatcher: the real `BatchTable` over a disk in memory and a simulated changelog.

A disk belongs to a machine and outlives its processes. `recover` does what Faust and `ChangelogTable` do after every
rebalance: go on from the local position, or begin empty where the changelog ends before it.
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import streamapp.stream.table as product
from streamapp.stream.table import BatchTable
from tests.model.kafka import PARTITIONS, Kafka, Producer
from tests.model.life import Life

OFFSET_KEY = b"__faust\0offset__"
RECOVERED_AT_ONCE = 4


class Rows:
    """One partition's RocksDB."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self.rows.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows as they are now, in key order."""
        return iter(sorted(self.rows.items()))

    def write(self, batch: "WriteBatch") -> None:
        """All of a batch, at once."""
        for key, value in batch.changes:
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value


class WriteBatch:
    """Stands in for RocksDB's, which cannot be read back."""

    def __init__(self, raw_mode: bool = True) -> None:
        self.changes: list[tuple[bytes, bytes | None]] = []

    def put(self, key: bytes, value: bytes) -> None:
        """Write a row."""
        self.changes.append((key, value))

    def delete(self, key: bytes) -> None:
        """Delete a row."""
        self.changes.append((key, None))


product_write_batch = product.WriteBatch


def simulate_rocksdb(on: bool) -> None:
    """Let `BatchTable` write to disks in memory, or to RocksDB again."""
    product.WriteBatch = WriteBatch if on else product_write_batch


class Disk:
    """The table files of one machine."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, int], Rows] = {}

    def open(self, table: str, partition: int) -> Rows:
        """The file of a partition, made if there is none."""
        return self._files.setdefault((table, partition), Rows())

    def wipe(self, *tables: str) -> None:
        """Delete the files of these tables."""
        self._files = {place: rows for place, rows in self._files.items() if place[0] not in tables}


class SimulatedTable(BatchTable):
    """A `BatchTable` without Faust beneath."""

    def __init__(self, name: str, disk: Disk, kafka: Kafka, life: Life) -> None:
        self.name = name
        self.partitions = PARTITIONS
        self._disk, self._kafka, self._life = disk, kafka, life
        self._app: Any = SimpleNamespace(producer=SimpleNamespace(_ensure_producer=self._producer))
        data = SimpleNamespace(_dbs={}, offset_key=OFFSET_KEY)
        self._table: Any = SimpleNamespace(changelog_topic_name=f"dispatch-{name}-changelog", data=data)
        self._applied: dict[int, int] = {}

    @property
    def open(self) -> dict[int, Rows]:
        """The files that are open, by partition."""
        files: dict[int, Rows] = self._table.data._dbs
        return files

    def _producer(self) -> Producer:
        return Producer(self._kafka, self._life)

    async def recover(self, partitions: set[int]) -> None:
        """Open the files of an assignment and bring them up to date with the changelog."""
        self.open.clear()
        for partition in sorted(partitions):
            file = self.open[partition] = self._disk.open(self.name, partition)
            await self._kafka.up.wait()
            offset = int(file.get(OFFSET_KEY) or -1) + 1
            if offset > self._kafka.end(self.changelog, partition):
                file.rows.clear()
                offset = 0
            while True:
                await self._life.step()
                found, offset = self._kafka.read(self.changelog, partition, offset, RECOVERED_AT_ONCE)
                if not found:
                    break
                batch = WriteBatch()
                for record in found:
                    keep_newest(self.name, file, batch, record.key or b"", record.value)
                batch.put(OFFSET_KEY, str(found[-1].offset).encode())
                file.write(batch)


def _last_wins(table: str, file: Rows, batch: WriteBatch, key: bytes, value: bytes | None) -> None:
    """A row of the changelog replaces what is there: Faust's recovery."""
    if value is None:
        batch.delete(key)
    else:
        batch.put(key, value)


keep_newest: Callable[[str, Rows, WriteBatch, bytes, bytes | None], None] = _last_wins
