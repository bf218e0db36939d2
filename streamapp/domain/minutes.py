"""What happened in a minute of the broker's clock: facts by name, and the latencies of the tasks by type."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streamapp.domain.latency import Latencies, joined

MINUTE_MS = 60_000
MAX_MINUTES = 1440
"""So many minutes are kept, up to the newest one."""

MAX_TYPES_A_MINUTE = 20
OTHER = "other"
"""What is counted beyond a bound on names."""

COUNTED = (
    "accepted",
    "rejected",
    "dispatched",
    "started",
    "completed",
    "failed",
    "retried",
    "failedPermanently",
    "requeued",
    "duplicates",
)
"""Names of `Minute.counts`, in order."""

FACTS = (
    "TaskAccepted",
    "TaskRejected",
    "TaskDispatched",
    "TaskExecutionStarted",
    "TaskExecutionCompleted",
    "TaskExecutionFailed",
    "TaskRetryScheduled",
    "TaskFailedPermanently",
    "TaskRequeued",
)
INDEX = {name: index for index, name in enumerate(FACTS)}
"""Name of a fact → where `Minute.counts` counts it."""

DUPLICATES = COUNTED.index("duplicates")


def _none() -> list[int]:
    return [0] * len(COUNTED)


@dataclass(slots=True)
class Minute:
    """One minute, counted since the epoch."""

    minute: int
    counts: list[int] = field(default_factory=_none)
    types: dict[str, Latencies] = field(default_factory=dict)

    def latencies(self, type: str) -> Latencies:
        """Where the latencies of tasks of `type` are counted."""
        found = self.types.get(type)
        if found is None:
            name = type if len(self.types) < MAX_TYPES_A_MINUTE else OTHER
            found = self.types.setdefault(name, Latencies())
        return found


def between(minutes: Mapping[int, Minute], first: int, last: int) -> list[Minute]:
    """Those from `first` to `last`, in no order; a short span is not looked for among all of them."""
    if last - first < len(minutes):
        return [minutes[at] for at in range(first, last + 1) if at in minutes]
    return [minute for at, minute in minutes.items() if first <= at <= last]


def summed(minutes: Iterable[Minute]) -> list[int]:
    """The counts of several minutes together, in the order of `COUNTED`."""
    return [sum(column) for column in zip(_none(), *(minute.counts for minute in minutes), strict=True)]


def by_type(minutes: Iterable[Minute]) -> dict[str, Latencies]:
    """The latencies of several minutes together, by task type."""
    parts: dict[str, list[Latencies]] = {}
    for minute in minutes:
        for name, latencies in minute.types.items():
            parts.setdefault(name, []).append(latencies)
    return {name: joined(found) for name, found in parts.items()}
