"""Totals: sums over the tasks of a partition, and its unreadable records; a record per partition. Fed by the diary."""

import msgspec

from streamapp.domain.totals import Totals
from streamapp.stream.table import BatchTable

NAME = "totals"
KEY = b"totals"

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Totals)


def encode(totals: Totals) -> bytes:
    """The record: equal totals give equal bytes."""
    return _encode(totals)


def decode(value: bytes) -> Totals:
    """The totals in a record."""
    return _decoder.decode(value)


class PartitionTotals:
    """The table of totals."""

    def __init__(self, table: BatchTable) -> None:
        self.table = table

    def get(self, partition: int) -> Totals:
        """The partition's totals; empty ones before the first fact."""
        value = self.table.get(partition, KEY)
        return Totals() if value is None else decode(value)

    async def write(self, partition: int, totals: Totals, applied: int) -> None:
        """Make the totals durable: always before the tasks of the same batch (`domain/totals`)."""
        await self.table.write(partition, {KEY: encode(totals)}, applied)
