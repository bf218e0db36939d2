"""What one fetch brought of one topic, handed to its agents as one event: a record batch for each partition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Record(NamedTuple):
    """One record. `at` is the broker's time in milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    at: int


def record_of(_: Any, unpacked: Any) -> Record:
    """A record as aiokafka has unpacked it."""
    return Record(unpacked.offset, unpacked.key, unpacked.value, unpacked.timestamp)


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records in offset order. `start` is where the fetch was expected to begin, `end` the offset after the last one.

    Offsets between may be missing: transaction markers and aborted records take offsets too.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: list[Record]
    _read: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def item(self, number: int, read: Callable[[bytes | None, bytes | None, int, int], T]) -> T:
        """What a record says. Every agent goes through the batch from its start; the first one reads for all."""
        if number == len(self._read):
            record = self.records[number]
            self._read.append(read(record.key, record.value, record.offset, record.at))
        item: T = self._read[number]
        return item

    def beyond(self, offset: int) -> "RecordBatch | None":
        """The part of it from `offset` on; None if there is none."""
        if offset <= self.start:
            return self
        if self.end <= offset:
            return None
        rest = [record for record in self.records if record.offset >= offset]
        return RecordBatch(self.topic, self.partition, offset, self.end, rest)


class Fetch:
    """The batches of one fetch. `readers` is how many agents have to fold it."""

    def __init__(self, batches: Sequence[RecordBatch], readers: int) -> None:
        self.batches = batches
        self._readers = readers

    @property
    def done(self) -> bool:
        """Whether every agent is done with it."""
        return self._readers <= 0

    def folded(self) -> None:
        """One agent is done with it."""
        self._readers -= 1

    def has(self, topic: str, partition: int) -> bool:
        """Whether it brought anything of this partition."""
        return any(batch.topic == topic and batch.partition == partition for batch in self.batches)
