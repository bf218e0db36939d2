"""A Faust table that gives up rows which its changelog cannot have written.

In: an assignment, before recovery starts, and where the changelog ends. Out: local partitions that recovery can go on
from. A store that claims a record beyond that end was written by a changelog that is gone (deleted, or a broker that
lost its tail): Faust would end the process, and what a later restore gave back would be another table. The partition
begins empty instead: recovery restores what the changelog has, and the diary tells the rest again.
"""

from collections.abc import Iterable
from typing import Any, cast

import faust
from faust.stores.rocksdb import Store
from faust.types import TP

from streamapp.stream.horizon import Probe
from streamapp.stream.vouching import Put
from streamapp.telemetry import get_log

log = get_log(__name__)

OPTIONS = {
    "block_cache_size": 16 << 20,
    "write_buffer_size": 16 << 20,
    "max_write_buffer_number": 3,
    "bloom_filter_size": 10,
}

ABOVE_EVERY_KEY = b"\xff"
"""Keys are UTF-8, or begin with a byte below: nothing sorts above this."""


def clear(database: Any) -> None:
    """Delete every row of an open RocksDB, positions included."""
    database.delete_range(b"", ABOVE_EVERY_KEY)


def fill(batch: Any, rows: Iterable[Put]) -> None:
    """Add `rows` to a write batch of RocksDB, in order."""
    for key, value in rows:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)


class ChangelogTable(faust.Table[bytes, bytes]):
    """The Faust table under a `BatchTable`. `probe` asks where the changelog ends."""

    def __init__(self, *args: Any, probe: Probe, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._probe = probe

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Open the stores of an assignment, and clear those that are ahead of their changelog."""
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        topic, store = self.changelog_topic_name, cast(Store, self.data)
        stores = {tp.partition: store._dbs.get(tp.partition) for tp in assigned if tp.topic == topic}
        opened = {partition: database for partition, database in stores.items() if database is not None}
        last = {partition: int(database.get(store.offset_key) or -1) for partition, database in opened.items()}
        ends = await self._probe.ends_beyond(topic, {partition: offset + 1 for partition, offset in last.items()})
        for partition, end in ends.items():
            if last[partition] >= end:
                log.warning(
                    "a local table is ahead of its changelog, which must have been deleted or cut: it is rebuilt",
                    topic=topic,
                    partition=partition,
                    stored=last[partition],
                    end=end,
                )
                clear(opened[partition])
