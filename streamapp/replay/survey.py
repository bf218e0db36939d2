"""What lies in a topic at one moment: the horizon of a replay.

Read whole, because a count of records is no subtraction: transaction markers and aborted records take offsets too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from streamapp.stream.topic_id import topic_id
from streamapp.stream.topic_log import TopicLog


@dataclass(frozen=True, slots=True)
class PartitionSurvey:
    """Committed records of one partition below `end`; `first` and `last` are offsets, None where there is no record."""

    partition: int
    end: int
    first: int | None
    last: int | None
    records: int

    @property
    def reach(self) -> int:
        """Up to where a table is folded once it has seen every record."""
        return 0 if self.last is None else self.last + 1


@dataclass(frozen=True, slots=True)
class TopicSurvey:
    """A topic as it was when it was looked at. `id` is None from a broker that gives none."""

    topic: str
    id: UUID | None
    partitions: tuple[PartitionSurvey, ...]

    @property
    def records(self) -> int:
        """All committed records."""
        return sum(partition.records for partition in self.partitions)


async def survey(bootstrap_servers: str, topic: str, notify: Callable[[int], None]) -> TopicSurvey:
    """Capture the ends of a topic, and count what lies below them. `notify` is told the number of new records.

    Raises:
        Unavailable: Kafka does not answer, or the topic does not exist.
    """
    found = []
    async with TopicLog(bootstrap_servers, topic) as log:
        for partition, limits in sorted((await log.bounds()).items()):
            first, last, count = None, None, 0
            async for records in log.read(partition, limits.first, limits.end):
                first = records[0].offset if first is None else first
                last = records[-1].offset
                count += len(records)
                notify(len(records))
            found.append(PartitionSurvey(partition, limits.end, first, last, count))
    return TopicSurvey(topic, await topic_id(bootstrap_servers, topic), tuple(found))
