"""Recomputes the views from the topic in memory and compares them with the live ones.

In: the diary's topic, and the tables of running processes. Out: what was compared, and the first difference of every
partition of a table that has one. Digests are compared first; rows are fetched only where two digests differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamapp.clock import Clock
from streamapp.domain.errors import Unavailable
from streamapp.replay.comparison import Difference, first_difference
from streamapp.replay.expected import TABLES, PartitionFold
from streamapp.replay.live import Holder, LiveTables, Place
from streamapp.stream.digest import PartitionDigest, digest_of
from streamapp.stream.topic_log import Bounds, TopicLog


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `records` were folded in memory; `left_out` are tables that hold something else than facts."""

    topic: str
    records: int
    seconds: float
    compared: tuple[PartitionDigest, ...]
    left_out: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether every row of every table is what the topic says."""
        return not self.differences


async def verify(log: TopicLog, live: LiveTables, clock: Clock, notify: Callable[[int, int], None]) -> Verification:
    """Compare every partition of every table of the diary's topic, up to the offset that each one is applied to.

    Args:
        log: the diary.
        live: the processes that hold the tables.
        clock: tells how long it took.
        notify: told after each partition how many are done, and of how many.

    Raises:
        Unavailable: Kafka or a process does not answer, or the topic has lost its first facts.
    """
    begun = clock.monotonic()
    holders = await live.holders()
    tables = sorted({table for table, _ in holders})
    known = [table for table in tables if table in TABLES]
    if not known:
        raise Unavailable("none of these processes holds a table of the diary: give the URL of diary or dispatch")
    digests = await live.digests(known)
    bounds = await log.bounds()
    differences: list[Difference] = []
    records = 0
    partitions = sorted({partition for _, partition in digests})
    for number, partition in enumerate(partitions, 1):
        of_partition = [digest for (_, found), digest in digests.items() if found == partition]
        folded, odd = await _odd_tables(log, bounds, partition, of_partition)
        records += folded
        for digest in odd:
            differences.append(await _explained(log, bounds, live, holders, digest))
        notify(number, len(partitions))
    return Verification(
        log.topic,
        records,
        clock.monotonic() - begun,
        tuple(digests[place] for place in sorted(digests)),
        tuple(table for table in tables if table not in TABLES),
        tuple(sorted(differences, key=lambda found: (TABLES.index(found.table), found.partition))),
    )


async def fold_to(log: TopicLog, partition: int, end: int) -> PartitionFold:
    """The fold of a partition up to below `end`."""
    fold = PartitionFold()
    async for records in log.read(partition, 0, end):
        fold.tell(records)
    return fold


async def _odd_tables(
    log: TopicLog, bounds: Mapping[int, Bounds], partition: int, digests: list[PartitionDigest]
) -> tuple[int, list[PartitionDigest]]:
    """Number of records folded, and the digests that are not those of the fold at the same offset."""
    fold, position, odd = PartitionFold(), 0, []
    for digest in sorted(digests, key=lambda found: found.applied):
        if _reach(log.topic, bounds, partition) < digest.applied:
            odd.append(digest)
            continue
        async for records in log.read(partition, position, digest.applied):
            fold.tell(records)
        position = digest.applied
        if digest_of(digest.table, partition, digest.applied, fold.rows(digest.table)) != digest:
            odd.append(digest)
    return fold.records, odd


def _reach(topic: str, bounds: Mapping[int, Bounds], partition: int) -> int:
    """Where a partition ends; 0 for one that the topic does not have.

    Raises:
        Unavailable: its first facts are gone, so that nothing can be recomputed.
    """
    found = bounds.get(partition, Bounds(0, 0))
    if found.first > 0:
        raise Unavailable(f"{topic}-{partition} begins at offset {found.first}: its first facts are gone")
    return found.end


async def _explained(
    log: TopicLog,
    bounds: Mapping[int, Bounds],
    live: LiveTables,
    holders: Mapping[Place, Holder],
    digest: PartitionDigest,
) -> Difference:
    """The first difference of a table whose digest was another one. It may have gone on meanwhile: so does the fold."""
    table, partition = digest.table, digest.partition
    end = _reach(log.topic, bounds, partition)
    if end < digest.applied:
        reason = f"it is folded up to offset {digest.applied}, and the topic ends at {end}"
        return Difference(table, partition, digest.applied, reason)
    applied, rows = await live.rows(holders[table, partition].url, table, partition)
    expected = await fold_to(log, partition, applied)
    found = await first_difference(table, partition, applied, expected.rows(table), rows)
    if found is not None:
        return found
    reason = f"its digest was another one at offset {digest.applied}; at {applied} its rows are right"
    return Difference(table, partition, digest.applied, reason)
