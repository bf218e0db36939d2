"""Where a consumer group is to be set back to: `earliest`, `offset:N` or `time:ISO`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from streamapp.stream.topic_log import Bounds, TopicLog

FORMS = "earliest, offset:N, or time:ISO with a time zone (time:2026-01-31T12:00:00Z)"


@dataclass(frozen=True, slots=True)
class Start:
    """A place in every partition. `value` is an offset, or milliseconds since the epoch; 0 for the earliest."""

    kind: Literal["earliest", "offset", "time"] = "earliest"
    value: int = 0
    text: str = "earliest"


def parse_start(text: str) -> Start:
    """Read what follows `--from`.

    Raises:
        ValueError: it is none of the forms; the message says which there are.
    """
    kind, _, value = text.partition(":")
    if text == "earliest":
        return Start()
    if kind == "offset" and value.isascii() and value.isdecimal():
        return Start("offset", int(value), text)
    if kind == "time":
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no ISO 8601 time; it takes {FORMS}") from None
        if moment.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; it takes {FORMS}")
        return Start("time", round(moment.timestamp() * 1000), text)
    raise ValueError(f"{text!r} is no place to start from; it takes {FORMS}")


async def resolve(start: Start, log: TopicLog, bounds: dict[int, Bounds]) -> dict[int, int]:
    """The offset in each partition, within its bounds; a time after the last record is the end.

    Raises:
        Unavailable: Kafka does not answer.
    """
    if start.kind == "time":
        found = await log.offsets_at(start.value)
        return {partition: _or_end(found[partition], limits) for partition, limits in bounds.items()}
    return {partition: min(max(start.value, limits.first), limits.end) for partition, limits in bounds.items()}


def _or_end(offset: int | None, limits: Bounds) -> int:
    return limits.end if offset is None else offset
