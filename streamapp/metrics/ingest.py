"""Events in numbers: what became of them, by partition, and how many are not taken in yet.

Read from the table in which ingest keeps them, so that they survive the process. A partition has one owner, so a sum
over all ingest processes is the whole.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from streamapp.metrics.instruments import Family, Sample
from streamapp.metrics.registry import Metrics

EVENTS = Family(
    "counter",
    "streamapp_ingest_events_total",
    "Events of a partition held here, ever: accepted, rejected (recorded as such), discarded (no legible id). The sum "
    "over all ingest processes is the whole.",
    ("outcome", "partition"),
)
LAG = Family(
    "gauge",
    "streamapp_ingest_lag_events",
    "Events in a partition held here that are not taken in yet.",
    ("partition",),
)


class Counted(Protocol):
    """Events of one partition by what became of them."""

    accepted: int
    rejected: int
    discarded: int


class IngestMetrics:
    """Reads what one ingest holds: `counts` and `lag` by partition."""

    def __init__(
        self,
        metrics: Metrics,
        counts: Callable[[], Mapping[int, Counted]],
        lag: Callable[[], Mapping[int, int]],
    ) -> None:
        self._counts = counts
        self._lag = lag
        metrics.read((EVENTS, LAG), self._read)

    def _read(self) -> Iterator[Sample]:
        for partition, counts in self._counts().items():
            yield EVENTS, ("accepted", str(partition)), counts.accepted
            yield EVENTS, ("rejected", str(partition)), counts.rejected
            yield EVENTS, ("discarded", str(partition)), counts.discarded
        for partition, events in self._lag().items():
            yield LAG, (str(partition),), events
