"""A record batch: what one fetch brought of one partition, handed to an agent as one event."""

from dataclasses import dataclass
from typing import NamedTuple


class Record(NamedTuple):
    """One record. `at` is the broker's time in milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    at: int


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
