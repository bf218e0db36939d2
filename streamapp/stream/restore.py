"""Restores tables from their changelogs by the batch: what Faust does record by record.

In: partitions of tables whose files are open, and where their changelogs end. Out: files that hold what the changelogs
vouch for. Reads with a client of its own, outside the consumer group; waits for as long as Kafka is away. Never touches
the diary.

Files are gone on from only where the changelog still has the marker that they are known to reach: their landmark. A
changelog that was cut while they lay there, and has grown again since, has another record in its place
(`docs/decisions/0017-changelogs-that-lost-their-tail.md`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from msgspec.structs import replace
from rocksdict import WriteBatch

from streamapp.stream.changelog import clear, fill
from streamapp.stream.reading import read
from streamapp.stream.vouching import Marker, Sieve, decode_marker, encode_marker, stamp_of
from streamapp.telemetry import get_log

log = get_log(__name__)


class Gone(Exception):
    """The files of a partition were closed meanwhile: another rebalance has taken it away."""


class Landmark(NamedTuple):
    """A marker in the changelog up to which the files have everything: its offset, and what it vouches for.

    Where another process has written the same marker to the same place, it has folded the same facts: what led there
    may differ, what it led to does not.
    """

    offset: int
    applied: int

    def encode(self) -> bytes:
        """As it is kept in the files."""
        return b"%d@%d" % self


class Keys(NamedTuple):
    """Where the files of a partition keep how far its changelog is read, the marker, and the landmark."""

    offset: bytes
    marker: bytes
    landmark: bytes


def decode_landmark(value: bytes | None) -> Landmark | None:
    """The landmark of files; None if they have none."""
    if value is None:
        return None
    offset, _, applied = value.partition(b"@")
    return Landmark(int(offset), int(applied))


@dataclass
class Partition:
    """One partition of a table on its way.

    Attributes:
        files: what is open now for this partition; asked before every write.
        database: the RocksDB that was open at the beginning.
        keys: where the files keep what is not a row.
        marker: the marker in the files.
        landmark: how far the files are known to have the changelog; None for new ones.
        sieve: which rows count.
        end: offset up to which the changelog is read, not included.
        start: offset to read from.
        lost: whether the changelog has something else in the place of the landmark.
        losses: how often the changelog has lost rows, as far as it was read.
    """

    files: Callable[[], Any]
    database: Any
    keys: Keys
    marker: Marker
    landmark: Landmark | None
    sieve: Sieve
    end: int
    rows: int = field(default=0)
    start: int = field(init=False)
    lost: bool = field(init=False, default=False)
    losses: int = field(init=False)
    _found: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.start = 0 if self.landmark is None else self.landmark.offset
        self.losses = self.marker.losses

    def begin_anew(self) -> None:
        """Forget what is in the files: the changelog is read from its first row.

        Raises:
            Gone: the files were closed.
        """
        if self.files() is not self.database:
            raise Gone
        clear(self.database)
        self.marker, self.landmark = replace(self.marker, next=0, losses=0), None
        self.start = self.rows = self.losses = 0
        self.lost = False
        self.sieve.begin_anew()

    @property
    def torn(self) -> bool:
        """Whether rows are missing between what the files have and what is read."""
        return self.losses > self.marker.losses

    def take(self, records: Sequence[Any]) -> None:
        """Write the rows that are vouched for, and how far the changelog is read, at once; not up to within a pass.

        Once a loss has shown nothing more is written: `settle` begins anew.

        Race: another process may be writing still. What it wrote beyond `end` is left alone: the tables of one topic
        are restored up to one moment, so that none is told of a pass of which another one knows nothing.

        Raises:
            Gone: the files were closed.
        """
        if self.files() is not self.database:
            raise Gone
        records = self._beyond_landmark([record for record in records if record.offset < self.end])
        if not records or self.lost:
            return
        batch = WriteBatch(raw_mode=True)
        sieve, read_up_to = self.sieve, None
        for run in _runs(records, self.keys.marker):
            first, last = run[0], run[-1]
            applied, after = stamp_of(first.headers)
            if after > first.offset:
                self.losses = max(self.losses, self.marker.losses + 1)
            rows = sieve.take_all([(record.key, record.value) for record in run], applied)
            marked = bool(rows) and last.key == self.keys.marker
            if marked:
                self.losses = max(self.losses, decode_marker(last.value).losses)
            if self.torn:
                continue
            fill(batch, rows)
            if sieve.whole:
                read_up_to = last.offset
                if marked and applied is not None:
                    batch.put(self.keys.landmark, Landmark(last.offset, applied).encode())
        if read_up_to is not None:
            batch.put(self.keys.offset, b"%d" % read_up_to)
        self.database.write(batch)
        self.rows += len(records)

    def _beyond_landmark(self, records: Sequence[Any]) -> Sequence[Any]:
        """What comes after the landmark, once that was seen. A compaction may have removed it."""
        if self.landmark is None or self._found or not records:
            return records
        first, *rest = records
        stamp = stamp_of(first.headers)
        self._found = (first.offset, stamp.applied) == self.landmark and first.key == self.keys.marker
        self.lost = not self._found
        return rest

    def settle(self) -> None:
        """All is read. A partition of which rows are missing begins empty: the diary tells everything again.

        Raises:
            Gone: the files were closed.
        """
        if not self.torn:
            self.sieve.end()
            return
        if self.files() is not self.database:
            raise Gone
        clear(self.database)
        batch = WriteBatch(raw_mode=True)
        batch.put(self.keys.marker, encode_marker(replace(self.marker, next=0, losses=self.losses)))
        batch.put(self.keys.offset, b"%d" % (self.end - 1))
        self.database.write(batch)


def _runs(records: Sequence[Any], marker: bytes) -> Iterator[list[Any]]:
    """Records that follow one another and say the same of their writer. A marker ends a run."""
    run: list[Any] = []
    headers, marked = None, False
    for record in records:
        if run and (marked or record.headers != headers):
            yield run
            run = []
        run.append(record)
        headers, marked = record.headers, record.key == marker
    if run:
        yield run


async def restore(bootstrap_servers: str, partitions: Mapping[TopicPartition, Partition]) -> None:
    """Read every changelog partition up to its end. Cancelled, what is written so far is kept and gone on from.

    Raises:
        KafkaError or OSError: Kafka did not answer at the beginning.
        Gone: a rebalance has taken a partition away.
    """
    begun = time.monotonic()
    behind = await _read_all(bootstrap_servers, partitions)
    lost = {tp: one for tp, one in partitions.items() if one.lost}
    for tp, one in lost.items():
        log.warning(
            "a changelog has something else where these files end: it was cut or compacted meanwhile, and is read anew",
            topic=tp.topic,
            partition=tp.partition,
        )
        one.begin_anew()
    await _read_all(bootstrap_servers, lost)
    seconds = time.monotonic() - begun
    rows = sum(partitions[tp].rows for tp in behind)
    for tp in behind:
        partitions[tp].settle()
        if partitions[tp].torn:
            log.warning(
                "a changelog has lost rows, by a power cut or because it was deleted: the table is folded anew from "
                "the diary; `streamapp replay --wipe` makes changelogs that are whole",
                topic=tp.topic,
                partition=tp.partition,
            )
    if rows:
        log.info("tables restored from their changelogs", partitions=len(behind), rows=rows, seconds=round(seconds, 3))


async def _read_all(bootstrap_servers: str, partitions: Mapping[TopicPartition, Partition]) -> list[TopicPartition]:
    """Read those that have anything to read, up to their ends. Returns which."""
    behind = {tp: (one.start, one.end) for tp, one in partitions.items() if one.start < one.end}
    if behind:
        await read(bootstrap_servers, behind, lambda tp, records: partitions[tp].take(records))
    return list(behind)
