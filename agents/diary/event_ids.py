"""Ids of events: the place of a fact, and how far the other partitions have been told.

In: places. Out: text without spaces, as `Last-Event-ID` brings it back, or the other way round.
"""

import re
from collections.abc import Mapping

MAX_ID = 10_000
_ID = re.compile(r"[0-9]{1,6}:(-1|[0-9]{1,18})(,[0-9]{1,6}:(-1|[0-9]{1,18}))*")
"""Partition and offset of the last fact told, -1 before the first one, with commas between."""


def read_id(given: str | None) -> dict[int, int]:
    """The last place seen of each partition, as an event's id tells; nothing if it is none of ours."""
    if given is None or len(given) > MAX_ID or not _ID.fullmatch(given):
        return {}
    places = (place.split(":") for place in given.split(","))
    return {int(partition): int(offset) for partition, offset in places}


def write_id(partition: int, offset: int, seen: Mapping[int, int]) -> str:
    """The id of an event: its place, then the last places sent of the other partitions."""
    rest = (f",{other}:{last}" for other, last in seen.items() if other != partition)
    return f"{partition}:{offset}{''.join(rest)}"


def write_places(seen: Mapping[int, int]) -> str:
    """How far each partition has been told."""
    return ",".join(f"{partition}:{offset}" for partition, offset in seen.items())
