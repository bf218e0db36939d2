"""A table written by the pass: what some batches have put goes to the changelog once, then into RocksDB in one write.

In: puts and deletes of one partition with the offset up to which they are folded, seen by readers at once. Out: both
durable when `store` returns (`write_behind` says when). Order is what keeps it right: the changelog is acknowledged
first and the local store written after, so that the store never holds what a restore could not give back; the applied
offset is the last record of the pass, so that it never vouches for a put that is missing
(`docs/decisions/0003-offset-in-the-state.md`).
"""

import asyncio
import heapq
from collections.abc import Iterator, Mapping
from typing import Any

from faust.stores.rocksdb import Store
from faust.types import TP
from rocksdict import WriteBatch

from streamapp import failpoints
from streamapp.domain.errors import ConfigurationError
from streamapp.failpoints import Gap
from streamapp.stream.changelog import OPTIONS, ChangelogTable, clear, fill
from streamapp.stream.changelog_end import ChangelogEnd, Strangers
from streamapp.stream.passes import append, look_into_gaps
from streamapp.stream.restore import Gone, Keys, Landmark, Partition, decode_landmark
from streamapp.stream.unstored import ABSENT, Pass, Unstored
from streamapp.stream.vouching import Marker, Put, Sieve, decode_marker, encode_marker
from streamapp.telemetry import describe, get_log

log = get_log(__name__)

APPLIED_KEY = b"\x00applied"
"""Key of the applied offset. No task id can be it: ids are printable."""

LANDMARK_KEY = b"\x00landmark"
"""Key of the place in the changelog that the files are known to reach. It is in the files only."""


class BatchTable:
    """One changelog-backed table of bytes, partitioned like the topic it is folded from. `form` is that of its rows."""

    def __init__(self, app: Any, name: str, partitions: int, form: int = 1) -> None:
        self.name = name
        self.partitions = partitions
        self.form = form
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
        self._begin()

    def _begin(self) -> None:
        self._applied: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        self._unstored: dict[int, Unstored] = {}
        self._ends: dict[int, ChangelogEnd] = {}
        self._spoiled: dict[int, set[bytes]] = {}

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

    def stored(self, partition: int) -> int | None:
        """The applied offset that is durable: from here the partition is folded on after a crash."""
        return self._stored.get(partition) if partition in self._applied else None

    def hold(self, partitions: set[int]) -> None:
        """After recovery: these partitions, and no others, are held here.

        Raises:
            ConfigurationError: the table was folded from a topic with another number of partitions, or by another
                version whose rows this one cannot read.
        """
        self._unstored = {partition: Unstored() for partition in partitions}
        self._stored = {partition: self._read_applied(partition) for partition in partitions}
        self._applied = dict(self._stored)
        self._ends = {
            partition: ChangelogEnd(self._read_last(partition), self._marker(partition).losses)
            for partition in partitions
        }

    def to_restore(self, partition: int, end: int) -> Partition:
        """A partition as `restore` wants it. `end`: where its changelog ends.

        Raises:
            Gone: its files are not open: another rebalance has begun.
        """
        databases = self._store._dbs
        database = databases.get(partition)
        if database is None:
            raise Gone
        marker, landmark = self._marker(partition), decode_landmark(database.get(LANDMARK_KEY))
        sieve = Sieve(APPLIED_KEY, marker.next)
        sieve.spoiled = self._spoiled.setdefault(partition, set())
        keys = Keys(self._store.offset_key, APPLIED_KEY, LANDMARK_KEY)
        found = Partition(lambda: databases.get(partition), database, keys, marker, landmark, sieve, end)
        if landmark is None and self._read_last(partition) >= 0:
            found.begin_anew()  # restored in part, or written before there were landmarks
        return found

    def release(self) -> None:
        """Before a rebalance: nothing is held until `hold` says so again."""
        self._applied = {}

    def forget(self, partition: int) -> None:
        """Drop every row of a partition that is held, so that it is folded anew from the first fact.

        For a table that may not be ahead of another one. Its changelog keeps the old rows until the fold writes them.
        """
        clear(self._store._dbs[partition])
        self._unstored[partition] = Unstored()
        self._applied[partition] = self._stored[partition] = 0

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The value of `key`; the last known one while a rebalance is under way, None if the store is not open."""
        unstored = self._unstored.get(partition)
        found = ABSENT if unstored is None else unstored.get(key)
        return self.get_stored(partition, key) if found is ABSENT else found

    def get_stored(self, partition: int, key: bytes) -> bytes | None:
        """The value of `key` that nothing can take back any more; `get` may be ahead of it by a pass."""
        db = self._store._dbs.get(partition)
        return None if db is None else db.get(key)

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value of a partition as they are now, in key order. Many rows are read in a thread.

        Race: it has to be called where rows are put, so that nothing is stored while it takes its look.
        """
        db = self._store._dbs.get(partition)
        if db is None:
            return iter(())
        unstored = self._unstored.get(partition)
        fresh = {} if unstored is None else unstored.rows()
        known = fresh.keys() | {APPLIED_KEY, LANDMARK_KEY, self._store.offset_key}
        stored = (row for row in db.items() if row[0] not in known)
        return heapq.merge(stored, sorted((key, value) for key, value in fresh.items() if value is not None))

    def put(self, partition: int, puts: Mapping[bytes, bytes | None], applied: int) -> None:
        """Change rows (None deletes) and the applied offset, for every reader at once; `store` makes it durable.

        Raises:
            NotHeld: the partition was taken away.
        """
        if partition not in self._applied:
            raise NotHeld(f"{self.name}: partition {partition} was taken away")
        self._unstored[partition].put(puts, applied)
        self._applied[partition] = applied

    @property
    def unstored_bytes(self) -> int:
        """About how much waits to be stored."""
        return sum(unstored.size for unstored in self._unstored.values())

    def unstored(self) -> list[int]:
        """The partitions held with something to be stored."""
        return [held for held in self._applied if not self._unstored[held].empty]

    def passing(self, partition: int) -> bool:
        """Whether a pass of the partition was taken and is not stored."""
        return partition in self._unstored and self._unstored[partition].passing is not None

    def take(self, partition: int) -> None:
        """Cut a pass here: `store` takes what was put so far, and nothing that is put from now on."""
        if partition in self._unstored:
            self._unstored[partition].take()

    async def store(self, partition: int) -> None:
        """Make the pass that was taken durable, in the changelog and then in the store; nothing to do without one.

        Waits as long as Kafka is away. Cancelled, it may be in the changelog in part, which the next one repairs.

        Raises:
            NotHeld: the partition was taken away.
        """
        unstored = self._unstored.get(partition)
        if unstored is not None and unstored.passing is not None:
            await self._write(partition, unstored.passing)
            unstored.done()

    async def _write(self, partition: int, taken: Pass) -> None:
        if partition not in self._applied:
            raise NotHeld(f"{self.name}: partition {partition} was taken away")
        puts, applied = taken
        end = self._ends[partition]
        again = await self._to_repair(partition, puts, applied)
        rows = [*puts.items(), *again, self._marked(partition, end, applied)]
        failpoints.reached(Gap.BEFORE_CHANGELOG)
        await self._append(partition, rows, applied)
        if end.torn:
            rows[-1] = self._marked(partition, end, applied)
            await self._append(partition, rows[-1:], applied)
        failpoints.reached(Gap.AFTER_CHANGELOG)
        db = self._store._dbs.get(partition)
        if db is None or self._applied.get(partition) is None:
            raise NotHeld(f"{self.name}: partition {partition} was taken away")
        batch = WriteBatch(raw_mode=True)
        fill(batch, rows)
        batch.put(self._store.offset_key, b"%d" % end.read_up_to)
        if end.alone:
            batch.put(LANDMARK_KEY, Landmark(end.last, applied).encode())
        db.write(batch)
        self._stored[partition] = applied
        self._spoiled.get(partition, set()).difference_update([key for key, _ in rows])
        failpoints.reached(Gap.AFTER_STORE)

    def _marked(self, partition: int, end: ChangelogEnd, applied: int) -> Put:
        """The row that ends a pass. It says for ever after that the changelog has lost rows, once that has shown.

        What is in the store here is whole, and stays; who has only the changelog has to fold everything anew.
        """
        if end.count_loss():
            log.warning(
                "a changelog has lost rows, by a power cut or because it was deleted: this table is whole, but will be "
                "folded anew from the diary where its files are not at hand",
                table=self.name,
                partition=partition,
            )
        return APPLIED_KEY, encode_marker(Marker(applied, self.partitions, end.losses, self.form))

    async def _to_repair(self, partition: int, puts: Mapping[bytes, bytes | None], applied: int) -> list[Put]:
        """Rows to write again, as they are here, because a stranger has written older ones behind them."""
        spoiled, end = self._spoiled.setdefault(partition, set()), self._ends[partition]
        if end.gaps:
            found = Strangers(applied, APPLIED_KEY)
            await look_into_gaps(self._app.servers, self.tp(partition), end, found)
            spoiled |= found.spoiled
        return [(key, self.get_stored(partition, key)) for key in sorted(spoiled - puts.keys())]

    async def _append(self, partition: int, rows: list[Put], applied: int) -> None:
        """Append to the changelog. Tries again for as long as the partition is held."""
        delay = 0.1
        while True:
            try:
                producer = self._app.producer._ensure_producer()
                return await append(producer, self.tp(partition), rows, applied, self._ends[partition])
            except Exception as error:
                if self._applied.get(partition) is None:
                    raise NotHeld(f"{self.name}: partition {partition} was taken away") from error
                log.warning("changelog not written, trying again", table=self.name, error=describe(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    @property
    def _store(self) -> Store:
        store: Store = self._table.data
        return store

    def _read_last(self, partition: int) -> int:
        """Offset of the last record of the changelog that is in the store, or was written with it; -1 for none."""
        value = self.get_stored(partition, self._store.offset_key)
        return -1 if value is None else int(value)

    def _read_applied(self, partition: int) -> int:
        marker = self._marker(partition)
        if marker.partitions != self.partitions:
            raise ConfigurationError(
                f"table {self.name} was folded from {marker.partitions} partitions and the topic now has "
                f"{self.partitions}: keys have moved. Restore the old number, or rebuild under another namespace"
            )
        if marker.form != self.form:
            raise ConfigurationError(
                f"table {self.name} has rows of form {marker.form}, which another version has written, and this one "
                f"reads form {self.form}: fold it anew with `streamapp replay {self._app.settings.role} --wipe`"
            )
        return marker.next

    def _marker(self, partition: int) -> Marker:
        value = self.get_stored(partition, APPLIED_KEY)
        return Marker(0, self.partitions, form=self.form) if value is None else decode_marker(value)

    def tp(self, partition: int) -> TP:
        """The changelog partition."""
        return TP(self.changelog, partition)


class NotHeld(Exception):
    """The partition was revoked under way: whoever holds it now folds the same facts again."""
