"""Facts as Kafka records, and what Kafka's answers mean. Bytes and values only: nothing here talks to a broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import errors

from streamapp.domain.errors import OutcomeUnknown, Refused
from streamapp.domain.facts import AnyFact
from streamapp.producer.log import Position
from streamapp.telemetry import describe
from streamapp.wire import facts as wire

OVERHEAD_BYTES = 128
"""Above what a batch of one record adds to key and value (Kafka's record format v2: 61 bytes and a few varints)."""

_REJECTIONS = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.TopicAuthorizationFailedError,
    errors.InvalidTopicError,
)
"""Answers that say that nothing of the batch was written."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the diary. Records with the same key lie in the same partition."""

    key: bytes
    value: bytes


def to_record(fact: AnyFact, max_bytes: int) -> Record:
    """The record that carries `fact`.

    Raises:
        Refused: it is larger than `max_bytes`.
    """
    key, value = wire.encode(fact)
    size = len(key) + len(value) + OVERHEAD_BYTES
    if size > max_bytes:
        raise Refused(f"the record of {fact.NAME} has {size} bytes; kafka.max_record_bytes allows {max_bytes}")
    return Record(key, value)


def to_position(acknowledged: Any) -> Position | OutcomeUnknown:
    """Where the broker says the record is.

    An answer without an offset (a duplicate that the broker no longer remembers the place of) is no position.
    """
    if acknowledged.offset < 0:
        return OutcomeUnknown("Kafka has the record and did not say where")
    return Position(acknowledged.topic, acknowledged.partition, acknowledged.offset, acknowledged.timestamp)


def to_failure(error: BaseException) -> Exception:
    """What an error of the producer means for the record: refused if it cannot have been written, else unknown."""
    if isinstance(error, Refused | OutcomeUnknown):
        return error
    if isinstance(error, _REJECTIONS):
        return Refused(f"Kafka rejected the record: {describe(error)}; see max.message.bytes and ACLs of the topic")
    return OutcomeUnknown(f"the producer lost track of the record: {describe(error)}")


def to_repeat(records: Sequence[Record], results: Sequence[Position | Exception]) -> list[int]:
    """Indexes to append again, in order: what failed, and whatever follows a failure under the same key.

    The order per task is part of the contract: a fact behind a failed one of its task must come after it.
    """
    broken: set[bytes] = set()
    again = []
    for index, (record, result) in enumerate(zip(records, results, strict=True)):
        if isinstance(result, Exception) or record.key in broken:
            broken.add(record.key)
            again.append(index)
    return again
