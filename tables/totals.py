"""Totals: what the facts of a partition add up to, and its unreadable records. Fed by the diary.

One row with the sums, and one for each minute, worker, kind of failure and task type (`domain/statistics`). Rows are
read once and kept decoded for as long as the partition is held, because every batch changes a few of them.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from streamapp.domain.failures import Failure
from streamapp.domain.minutes import Minute
from streamapp.domain.statistics import Key, OfType, Row, Statistics
from streamapp.domain.totals import Totals
from streamapp.domain.workers import Worker
from streamapp.stream.table import BatchTable

NAME = "totals"
KEY = b"totals"

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Totals)
_KEYS: dict[type[Row], Callable[[Any], bytes]] = {
    Minute: lambda minute: b"minute:%d" % minute,
    Worker: lambda worker: b"worker:" + worker.encode(),
    Failure: lambda kind: b"failure:" + "\0".join(kind).encode(),
    OfType: lambda name: b"type:" + name.encode(),
}
_ROWS: dict[bytes, msgspec.json.Decoder[Any]] = {
    b"minute": msgspec.json.Decoder(Minute),
    b"worker": msgspec.json.Decoder(Worker),
    b"failure": msgspec.json.Decoder(Failure),
    b"type": msgspec.json.Decoder(OfType),
}
_ROWS_OF: dict[type[Row], msgspec.json.Decoder[Any]] = {Failure: _ROWS[b"failure"], OfType: _ROWS[b"type"]}


def decode(value: bytes) -> Totals:
    """The totals in a record."""
    return _decoder.decode(value)


def rows(statistics: Statistics) -> dict[bytes, bytes]:
    """Every row of a partition: equal statistics give equal bytes."""
    return {KEY: _encode(statistics.totals)} | {_key(key): _encode(row) for key, row in statistics.rows().items()}


class PartitionTotals:
    """The table of totals."""

    def __init__(self, table: BatchTable) -> None:
        self.table = table
        self._kept: dict[int, tuple[int, Statistics]] = {}

    def of(self, partition: int) -> Statistics:
        """The partition's statistics; empty ones before the first fact. Blocks when they are read the first time."""
        kept = self._kept.get(partition)
        if kept is not None:
            return kept[1]
        applied, found = self.table.applied(partition), self._read(partition)
        if applied is not None:
            self._kept[partition] = applied, found
        return found

    def stored(self, partition: int) -> Statistics:
        """The sums, failures and types of a partition as they are stored; no minutes and no workers.

        `of` may be ahead of that, and fall back when a batch breaks off or the process dies: whoever compares two
        moments must not see it.
        """
        known = self.of(partition)
        keys = [*((Failure, kind) for kind in known.failures), *((OfType, name) for name in known.types)]
        values = [(kind, self.table.get_stored(partition, _key((kind, name)))) for kind, name in keys]
        totals = self.table.get_stored(partition, KEY)
        found = [_ROWS_OF[kind].decode(value) for kind, value in values if value is not None]
        return Statistics(None if totals is None else decode(totals), found)

    def forget(self, partition: int) -> None:
        """Read a partition again when it is asked for: what is kept may not be what is stored."""
        self._kept.pop(partition, None)

    def reassigned(self) -> None:
        """Forget what is no longer held, or was folded further elsewhere. The same offset is the same rows."""
        self._kept = {
            partition: (applied, found)
            for partition, (applied, found) in self._kept.items()
            if self.table.applied(partition) == applied
        }

    def put(self, partition: int, statistics: Statistics, applied: int) -> None:
        """Note what has changed. It becomes durable before the tasks of the same batch (`domain/totals`)."""
        puts: dict[bytes, bytes | None] = {KEY: _encode(statistics.totals)}
        for key, row in statistics.take_changes().items():
            puts[_key(key)] = None if row is None else _encode(row)
        self.table.put(partition, puts, applied)
        self._kept[partition] = applied, statistics

    def _read(self, partition: int) -> Statistics:
        stored = dict(self.table.items(partition))
        totals = stored.pop(KEY, None)
        found = [_ROWS[key.partition(b":")[0]].decode(value) for key, value in stored.items()]
        return Statistics(None if totals is None else decode(totals), found)


def _key(key: Key) -> bytes:
    kind, name = key
    return _KEYS[kind](name)
