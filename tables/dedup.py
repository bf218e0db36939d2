"""Dedup: one record per task that has ended, for ever, so that its id is recognised again. Fed by dispatch.

Small, unless the task has failed for good: then the record has what a requeue needs. It stays while the task is open
again, and is followed by that of the next end.
"""

from collections.abc import Mapping

import msgspec

from streamapp.domain.outbox import Closed
from streamapp.stream.table import BatchTable

NAME = "dedup"
FORM = 2
"""Of the rows. Another one is a table that has to be folded anew (decision 0020)."""

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Closed)


def encode(entry: Closed) -> bytes:
    """The record of an entry: equal entries give equal bytes."""
    return _encode(entry)


class Dedup:
    """The table of closed entries."""

    def __init__(self, table: BatchTable) -> None:
        self.table = table

    def get(self, partition: int, task_id: bytes) -> Closed | None:
        """The closed entry, or None."""
        value = self.table.get(partition, task_id)
        return None if value is None else _decoder.decode(value)

    def put(self, partition: int, entries: Mapping[bytes, Closed], applied: int) -> None:
        """Note the entries closed by a batch. They become durable before the pending ones of the same batch."""
        self.table.put(partition, {key: encode(entry) for key, entry in entries.items()}, applied)
