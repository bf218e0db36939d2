"""Where an entry stands in a list that goes over all partitions."""

from typing import NamedTuple


class Place(NamedTuple):
    """A moment in milliseconds, then partition and offset, which no other entry has: places are never the same."""

    at: int
    partition: int
    offset: int
