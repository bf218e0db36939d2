"""Passes on their way into a changelog, and what others have written between them.

In: the rows of a pass. Out: the same rows in the changelog, with where they came to lie. A record batch is appended
whole or not at all, and the marker is in the last one: a row that was lost on the way is never vouched for.
"""

from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from faust.types import TP

from streamapp.domain.errors import ConfigurationError
from streamapp.stream.changelog_end import ChangelogEnd, Strangers
from streamapp.stream.reading import read
from streamapp.stream.recovery import patiently
from streamapp.stream.vouching import Put, headers
from streamapp.telemetry import get_log

log = get_log(__name__)


async def append(producer: Any, tp: TP, rows: Iterable[Put], applied: int, end: ChangelogEnd) -> None:
    """Append a pass up to `applied` in as few record batches as it takes, each acknowledged before the next is sent.

    Raises:
        KafkaError: it may be there in part.
        ConfigurationError: a row is larger than any record batch.
    """
    waiting = iter(rows)
    row = next(waiting, None)
    while row is not None:
        batch = producer.create_batch()
        written_by = headers(applied, end.next)
        while (
            row is not None and batch.append(timestamp=None, key=row[0], value=row[1], headers=written_by) is not None
        ):
            row = next(waiting, None)
        count = batch.record_count()
        if not count:
            raise ConfigurationError(f"{tp.topic}: a row does not fit into a record batch")
        metadata = await (await producer.send_batch(batch, tp.topic, partition=tp.partition))
        end.note(metadata.offset, count)


async def look_into_gaps(servers: str, tp: TP, end: ChangelogEnd, found: Strangers) -> None:
    """Read what others have written where the owner's own offsets have gaps.

    Race: a process that was taken for dead may go on with the pass that it had begun. Its rows come behind the owner's,
    so a compaction would keep them.
    """
    for gap in end.gaps:
        wanted = {TopicPartition(tp.topic, tp.partition): gap}
        await patiently(
            lambda wanted=wanted: read(servers, wanted, lambda _, records: found.look(records)),  # type: ignore[misc]
            "what a stranger has written into a changelog",
        )
    end.torn |= found.torn
    if not found.ahead:
        end.gaps.clear()
    if found.spoiled:
        log.warning(
            "old rows were written into this changelog by another process, or by a request that came late: they are "
            "written over",
            topic=tp.topic,
            partition=tp.partition,
            rows=len(found.spoiled),
        )
