"""The outbox in numbers: open entries by what they wait for, gates, and how late jobs are dispatched.

A partition has one owner, so a sum over all dispatch processes is the whole.
"""

from collections.abc import Callable, Iterator, Mapping

from streamapp.metrics.instruments import Family, Sample
from streamapp.metrics.registry import Metrics

ENTRIES = Family(
    "gauge",
    "streamapp_dispatch_outbox_entries",
    "Open tasks of a partition whose gate is open here. due: to be acted on now; retry: its not-before lies ahead; "
    "awaiting_start: dispatched; running: started. The sum over all dispatch processes is the whole.",
    ("partition", "stage"),
)
ACTING = Family("gauge", "streamapp_dispatch_in_flight", "Entries that are being published or recorded now.")
GATE = Family(
    "gauge",
    "streamapp_dispatch_gate_open",
    "1 when a partition held here is folded up to its horizon, so that it may be acted on; 0 until then.",
    ("partition",),
)
BEHIND = Family(
    "gauge",
    "streamapp_dispatch_facts_behind_horizon",
    "Facts that are still to be folded before the gate of a partition held here opens.",
    ("partition",),
)
LATENESS = Family(
    "histogram",
    "streamapp_dispatch_lateness_seconds",
    "From the moment a job was due (accepted, or the retry's not-before) until its TaskDispatched, by the broker's "
    "clock.",
)


class OutboxMetrics:
    """Counts for one dispatch."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._lateness = self._metrics.spread(LATENESS)

    def recorded(self, due_ms: int | None, at_ms: int) -> None:
        """A fact about an entry was appended at `at_ms`; its job, if it has one, had been due since `due_ms`."""
        if due_ms is not None:
            self._lateness.observe((at_ms - due_ms) / 1000)

    def watch(
        self,
        entries: Callable[[], Mapping[int, Mapping[str, int]]],
        acting: Callable[[], int],
        behind: Callable[[], Mapping[int, int]],
    ) -> None:
        """Ask at every scrape.

        Args:
            entries: partition → stage → open entries, of the partitions whose gate is open.
            acting: entries in flight.
            behind: partition held → facts until its gate opens; 0 once it is open.
        """

        def read() -> Iterator[Sample]:
            for partition, stages in entries().items():
                for stage, number in stages.items():
                    yield ENTRIES, (str(partition), stage), number
            yield ACTING, (), acting()
            for partition, facts in behind().items():
                yield GATE, (str(partition),), not facts
                yield BEHIND, (str(partition),), facts

        self._metrics.read((ENTRIES, ACTING, GATE, BEHIND), read)
