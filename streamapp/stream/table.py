"""A table written by the batch: one pass to the changelog, one write to RocksDB, one applied offset with it.

In: puts and deletes of one partition with the offset up to which they are folded. Out: both durable when `write`
returns. Order is what keeps it right: the changelog is acknowledged first and the local store written after, so that
the store never holds what a restore could not give back; the applied offset is the last record of the pass, so that it
never vouches for a put that is missing (`docs/decisions/0003-offset-in-the-state.md`).
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from faust.stores.rocksdb import Store
from faust.types import TP
from rocksdict import WriteBatch

from streamapp import failpoints
from streamapp.domain.errors import ConfigurationError
from streamapp.failpoints import Gap
from streamapp.stream.changelog import ChangelogTable, clear
from streamapp.telemetry import describe, get_log

log = get_log(__name__)

APPLIED_KEY = b"\x00applied"
"""Key of the applied offset. No task id can be it: ids are printable."""

OPTIONS = {
    "block_cache_size": 16 << 20,
    "write_buffer_size": 16 << 20,
    "max_write_buffer_number": 3,
    "bloom_filter_size": 10,
}


class _Applied(msgspec.Struct):
    next: int
    partitions: int


_decoder = msgspec.json.Decoder(_Applied)


class BatchTable:
    """One changelog-backed table of bytes, partitioned like the topic it is folded from."""

    def __init__(self, app: Any, name: str, partitions: int) -> None:
        self.name = name
        self.partitions = partitions
        self._app = app
        self._table = app.tables.add(
            ChangelogTable(
                app,
                name=name,
                beacon=app.tables.beacon,
                key_type=bytes,
                value_type=bytes,
                partitions=partitions,
                options=dict(OPTIONS),
                recovery_buffer_size=2000,
                probe=app.probe,
            )
        )
        self._applied: dict[int, int] = {}

    @property
    def changelog(self) -> str:
        """Name of the changelog topic."""
        return str(self._table.changelog_topic_name)

    def held(self) -> tuple[int, ...]:
        """The partitions held here and up to date with the changelog."""
        return tuple(sorted(self._applied))

    def applied(self, partition: int) -> int | None:
        """Offset of the next fact to apply; 0 if none was; None if the partition is not held here."""
        return self._applied.get(partition)

    def hold(self, partitions: set[int]) -> None:
        """After recovery: these partitions, and no others, are held here.

        Raises:
            ConfigurationError: the table was folded from a topic with another number of partitions.
        """
        self._applied = {partition: self._read_applied(partition) for partition in partitions}

    def release(self) -> None:
        """Before a rebalance: nothing is held until `hold` says so again."""
        self._applied = {}

    def forget(self, partition: int) -> None:
        """Drop every row of a partition that is held, so that it is folded anew from the first fact.

        For a table that may not be ahead of another one. Its changelog keeps the old rows until the fold writes them.
        """
        clear(self._store._dbs[partition])
        self._applied[partition] = 0

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The value of `key`; the last known one while a rebalance is under way, None if the store is not open."""
        db = self._store._dbs.get(partition)
        return None if db is None else db.get(key)

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value of a partition, in key order. Blocks; many rows belong into a thread."""
        db = self._store._dbs.get(partition)
        if db is not None:
            for key, value in db.items():
                if key not in (APPLIED_KEY, self._store.offset_key):
                    yield key, value

    async def write(self, partition: int, puts: Mapping[bytes, bytes | None], applied: int) -> None:
        """Make `puts` (None deletes) and the applied offset durable, in the changelog and then in the store.

        Waits as long as Kafka is away; a cancelled write may be in the changelog in part, which the next one repairs.
        """
        if self._applied.get(partition) is None:
            raise NotHeld(f"{self.name}: partition {partition} was taken away")
        marker = msgspec.json.encode(_Applied(applied, self.partitions))
        rows = [*puts.items(), (APPLIED_KEY, marker)]
        failpoints.reached(Gap.BEFORE_CHANGELOG)
        last = await self._append(partition, rows)
        failpoints.reached(Gap.AFTER_CHANGELOG)
        db = self._store._dbs.get(partition)
        if db is None or self._applied.get(partition) is None:
            raise NotHeld(f"{self.name}: partition {partition} was taken away")
        batch = WriteBatch(raw_mode=True)
        for key, value in rows:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(self._store.offset_key, str(last).encode())
        db.write(batch)
        self._applied[partition] = applied
        failpoints.reached(Gap.AFTER_STORE)

    async def _append(self, partition: int, rows: list[tuple[bytes, bytes | None]]) -> int:
        """Append to the changelog; the offset of the last record. Tries again for as long as the partition is held."""
        delay = 0.1
        while True:
            try:
                return await self._append_once(partition, rows)
            except Exception as error:
                if self._applied.get(partition) is None:
                    raise NotHeld(f"{self.name}: partition {partition} was taken away") from error
                log.warning("changelog not written, trying again", table=self.name, error=describe(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def _append_once(self, partition: int, rows: list[tuple[bytes, bytes | None]]) -> int:
        """One pass in as few record batches as it takes, each acknowledged before the next is sent.

        A record batch is appended whole or not at all, and the marker is in the last one: a row that was lost on the
        way is never vouched for.
        """
        producer = self._app.producer._ensure_producer()
        last, rest = -1, iter(rows)
        row = next(rest, None)
        while row is not None:
            batch = producer.create_batch()
            while row is not None and batch.append(timestamp=None, key=row[0], value=row[1]) is not None:
                row = next(rest, None)
            count = batch.record_count()
            if not count:
                raise ConfigurationError(f"{self.name}: a row does not fit into a record batch")
            metadata = await (await producer.send_batch(batch, self.changelog, partition=partition))
            last = metadata.offset + count - 1
        return int(last)

    @property
    def _store(self) -> Store:
        store: Store = self._table.data
        return store

    def _read_applied(self, partition: int) -> int:
        value = self.get(partition, APPLIED_KEY)
        if value is None:
            return 0
        marker = _decoder.decode(value)
        if marker.partitions != self.partitions:
            raise ConfigurationError(
                f"table {self.name} was folded from {marker.partitions} partitions and the topic now has "
                f"{self.partitions}: keys have moved. Restore the old number, or rebuild under another namespace"
            )
        return marker.next

    def tp(self, partition: int) -> TP:
        """The changelog partition."""
        return TP(self.changelog, partition)


class NotHeld(Exception):
    """The partition was revoked under way: whoever holds it now folds the same facts again."""
