"""The Faust roles in numbers: what is folded, how long that takes, which partitions are held, whether one stands."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from streamapp.metrics.instruments import Count, Family, Sample, Spread
from streamapp.metrics.registry import Metrics

FOLDED = Family(
    "counter", "streamapp_stream_records_folded_total", "Records folded by an agent of this process.", ("agent",)
)
DURATION = Family(
    "histogram",
    "streamapp_stream_fold_duration_seconds",
    "Folding one batch of records, in ingest also telling the diary; storing the tables is not in it.",
    ("agent",),
)
READY = Family(
    "gauge", "streamapp_stream_settled", "1 when partitions are assigned and tables restored, so that facts are folded."
)
HELD = Family("gauge", "streamapp_stream_partitions_held", "Partitions of a table that this process holds.", ("table",))
STANDING = Family(
    "gauge",
    "streamapp_stream_partitions_standing_still",
    "Partitions that are not folded any further because facts are missing from the topic; the role's log names them.",
)


@dataclass(frozen=True, slots=True)
class AgentMetrics:
    """What is counted for one agent."""

    folded: Count
    duration: Spread
    now: Callable[[], float]

    def batch(self, records: int, seconds: float) -> None:
        """A batch was folded."""
        self.folded.add(records)
        self.duration.observe(seconds)


class StreamMetrics:
    """Counts for one Faust app."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()

    def agent(self, name: str) -> "AgentMetrics":
        """What is counted for one agent."""
        return AgentMetrics(self.metrics.count(FOLDED, name), self.metrics.spread(DURATION, name), self.metrics.now)

    def watch(
        self, settled: Callable[[], bool], held: Callable[[], Mapping[str, int]], standing: Callable[[], int]
    ) -> None:
        """Ask at every scrape."""

        def read() -> Iterator[Sample]:
            yield READY, (), settled()
            for table, partitions in held().items():
                yield HELD, (table,), partitions
            yield STANDING, (), standing()

        self.metrics.read((READY, HELD, STANDING), read)
