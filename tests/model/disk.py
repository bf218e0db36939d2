"""The tables of a simulated dispatcher: the real `BatchTable` and the real restore, over a disk in memory and a
simulated changelog.

A disk belongs to a machine and outlives its processes. `begin` does what `ChangelogTable` does after every rebalance:
open the files, and begin empty where the changelog ends before them. Restoring them is the product's own work; only the
files and the reading of Kafka are simulated.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiokafka import TopicPartition
from faust.types import TP

import streamapp.stream.passes as passes
import streamapp.stream.restore as restoring
import streamapp.stream.table as tables
from streamapp.stream.changelog import clear
from streamapp.stream.reading import SILENCE_SECONDS
from streamapp.stream.table import BatchTable
from tests.model.kafka import PARTITIONS, Kafka, Producer
from tests.model.life import Life

OFFSET_KEY = b"__faust\0offset__"
RECOVERED_AT_ONCE = 4


class Rows:
    """One partition's RocksDB. `version` tells whether it was written."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.version = 0

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self.rows.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows as they are now, in key order."""
        return iter(sorted(self.rows.items()))

    def delete_range(self, first: bytes, beyond: bytes) -> None:
        """Delete the rows from `first` on, and below `beyond`."""
        self.version += 1
        self.rows = {key: value for key, value in self.rows.items() if not first <= key < beyond}

    def write(self, batch: "WriteBatch") -> None:
        """All of a batch, at once."""
        self.version += 1
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


class Changelogs:
    """The changelogs as one process reads them."""

    def __init__(self, kafka: Kafka, life: Life) -> None:
        self.kafka, self.life = kafka, life


async def read(
    source: Changelogs,
    wanted: Mapping[TopicPartition, tuple[int, int]],
    take: Callable[[TopicPartition, Sequence[Any]], None],
) -> None:
    """`reading.read` of a simulated changelog: a few records at once, the last ones perhaps from beyond the end.

    Where the changelog was cut meanwhile, what is left is all there is, after a while of silence.
    """
    for tp, (offset, end) in wanted.items():
        while offset < end:
            await source.kafka.up.wait()
            await source.life.step()
            found, offset = source.kafka.read(tp.topic, tp.partition, offset, RECOVERED_AT_ONCE)
            take(tp, found)
            if not found and offset >= source.kafka.end(tp.topic, tp.partition):
                await asyncio.sleep(SILENCE_SECONDS)
                if offset >= source.kafka.end(tp.topic, tp.partition):
                    break


def simulated_files() -> ExitStack:
    """Lets the product's tables live in memory, until it is closed."""
    stack = ExitStack()
    for module in (restoring, tables):
        stack.enter_context(patch.object(module, "WriteBatch", WriteBatch))
    for module in (restoring, passes):
        stack.enter_context(patch.object(module, "read", read))
    return stack


class SimulatedTable(BatchTable):
    """A `BatchTable` without Faust beneath."""

    def __init__(self, name: str, disk: Disk, kafka: Kafka, life: Life) -> None:
        self.name = name
        self.partitions = PARTITIONS
        self.form = 1
        self._disk, self._kafka = disk, kafka
        producer = SimpleNamespace(_ensure_producer=lambda: Producer(kafka, life))
        self._app: Any = SimpleNamespace(producer=producer, servers=Changelogs(kafka, life))
        data = SimpleNamespace(_dbs={}, offset_key=OFFSET_KEY)
        self._table: Any = SimpleNamespace(changelog_topic_name=f"dispatch-{name}-changelog", data=data)
        self._begin()

    @property
    def open(self) -> dict[int, Rows]:
        """The files that are open, by partition."""
        files: dict[int, Rows] = self._table.data._dbs
        return files

    def begin(self, partitions: set[int]) -> dict[TP, int]:
        """Open the files of an assignment, clear those that are ahead of their changelogs. Where the changelogs end."""
        self.open.clear()
        self.open.update({partition: self._disk.open(self.name, partition) for partition in sorted(partitions)})
        ends = {partition: self._kafka.end(self.changelog, partition) for partition in self.open}
        for partition, end in ends.items():
            if self._read_last(partition) >= end:
                clear(self.open[partition])
        return {self.tp(partition): end for partition, end in ends.items()}
