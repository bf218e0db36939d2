"""Sources: how far each partition of `consume-event` is taken into the diary, and what came of it. Fed by ingest."""

import msgspec

from streamapp.stream.table import BatchTable

NAME = "sources"
KEY = b"counts"


class Counts(msgspec.Struct):
    """Events of one partition by what became of them. `discarded`: invalid, without a legible id to record it under.

    `next` is the offset up to which they are counted: a crash may keep this record and lose the table's own offset.
    """

    next: int = 0
    accepted: int = 0
    rejected: int = 0
    discarded: int = 0


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Counts)


class Sources:
    """The table of source positions."""

    def __init__(self, table: BatchTable) -> None:
        self.table = table

    def get(self, partition: int) -> Counts:
        """The partition's counts."""
        value = self.table.get(partition, KEY)
        return Counts() if value is None else _decoder.decode(value)

    def put(self, partition: int, counts: Counts, applied: int) -> None:
        """Note the position and the counts: once the facts of the same events are durable."""
        counts.next = applied
        self.table.put(partition, {KEY: _encode(counts)}, applied)
