"""One topic as a log to be read: where its partitions begin and end, and any range of it, without a group.

For the operators' commands: what they say of the system is computed from the records alone, not from any view.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.domain.errors import Unavailable
from streamapp.stream.batch import Record
from streamapp.telemetry import describe

FETCH_WAIT_MS = 50
RECORDS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a partition begins, and where committed records end: the offset that the next one will get."""

    first: int
    end: int


class TopicLog:
    """Reads committed records. Enter it with `async with`.

    Raises:
        Unavailable: from every method, if Kafka does not answer or the topic does not exist.
    """

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.topic = topic
        self.partitions: tuple[int, ...] = ()
        self._servers = bootstrap_servers
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            known = await self._consumer._client.fetch_all_metadata()
            found = known.partitions_for_topic(self.topic)
            if not found:
                raise Unavailable(f"topic {self.topic} does not exist: run `streamapp setup`")
        except BaseException as error:
            await self._consumer.stop()
            if isinstance(error, KafkaError | OSError):
                raise self._told(error) from error
            raise
        self.partitions = tuple(sorted(found))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def bounds(self) -> dict[int, Bounds]:
        """Where every partition begins and ends now."""
        places = self._places()
        try:
            first = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
        except (KafkaError, OSError) as error:
            raise self._told(error) from error
        return {tp.partition: Bounds(first[tp], ends[tp]) for tp in places}

    async def offsets_at(self, milliseconds: int) -> dict[int, int | None]:
        """The first offset at or after a time of the broker's clock; None where nothing was written since."""
        try:
            found = await self._consumer.offsets_for_times(dict.fromkeys(self._places(), milliseconds))
        except (KafkaError, OSError) as error:
            raise self._told(error) from error
        return {tp.partition: None if item is None else item.offset for tp, item in found.items()}

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[list[Record]]:
        """The committed records of a partition from offset `start` to below `end`, in order."""
        place = TopicPartition(self.topic, partition)
        try:
            self._consumer.assign([place])
            self._consumer.seek(place, start)
            while await self._consumer.position(place) < end:
                fetched = await self._consumer.getmany(place, timeout_ms=200, max_records=RECORDS_AT_ONCE)
                rows = [Record(item.offset, item.key, item.value, item.timestamp) for item in fetched.get(place, ())]
                if rows := [row for row in rows if start <= row.offset < end]:
                    yield rows
        except (KafkaError, OSError) as error:
            raise self._told(error) from error

    def _places(self) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in self.partitions]

    def _told(self, error: Exception) -> Unavailable:
        return Unavailable(f"Kafka at {self._servers}: {describe(error)}")
