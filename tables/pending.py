"""Pending: the outbox. One record per task that has not ended, with what its next attempt needs. Fed by dispatch."""

from collections.abc import Iterator, Mapping

import msgspec

from streamapp.domain.outbox import Open
from streamapp.stream.table import BatchTable

NAME = "pending"
FORM = 2
"""Of the rows. Another one is a table that has to be folded anew (decision 0020)."""

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Open)


def encode(entry: Open) -> bytes:
    """The record of an entry: equal entries give equal bytes."""
    return _encode(entry)


class Pending:
    """The table of open entries."""

    def __init__(self, table: BatchTable) -> None:
        self.table = table

    def get(self, partition: int, task_id: bytes) -> Open | None:
        """The open entry, or None if the task is unknown or has ended."""
        value = self.table.get(partition, task_id)
        return None if value is None else _decoder.decode(value)

    def all(self, partition: int) -> Iterator[tuple[bytes, Open]]:
        """Every open entry of a partition."""
        return ((key, _decoder.decode(value)) for key, value in self.table.items(partition))

    def put(self, partition: int, entries: Mapping[bytes, Open | None], applied: int) -> None:
        """Note the entries of a batch; None closes one."""
        puts = {key: None if entry is None else encode(entry) for key, entry in entries.items()}
        self.table.put(partition, puts, applied)
