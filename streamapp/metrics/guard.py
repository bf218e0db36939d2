"""The guard in numbers: round trips to Redis, calls by script, claims that were lost, and whether it may be trusted."""

from collections.abc import Callable

from streamapp.metrics.instruments import Count, Family
from streamapp.metrics.registry import Metrics

ROUND_TRIP = Family(
    "histogram",
    "streamapp_guard_round_trip_seconds",
    "One round trip to Redis with all the calls that went together.",
)
CALLS = Family("counter", "streamapp_guard_calls_total", "Questions put to the guard, by script.", ("script",))
UNAVAILABLE = Family(
    "counter", "streamapp_guard_unavailable_total", "Calls without an answer: Redis is away, too slow, or refuses."
)
LOST = Family(
    "counter", "streamapp_guard_claims_lost_total", "Claims that were found to be taken away when they were renewed."
)
READY = Family(
    "gauge",
    "streamapp_guard_ready",
    "0 once Redis has said that it has forgotten the guard's epoch, so that nothing runs until `streamapp guard "
    "rebuild`; else 1.",
)


class GuardMetrics:
    """Counts for one guard. `lost` belongs to the thread that renews leases, all others to the event loop."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self.now = self._metrics.now
        self._calls: dict[str, Count] = {}
        self.round_trip = self._metrics.spread(ROUND_TRIP)
        self.unavailable = self._metrics.count(UNAVAILABLE)
        self.lost = self._metrics.count(LOST)
        self._metrics.know(CALLS)

    def called(self, script: str) -> None:
        """A script of the guard's own was called."""
        count = self._calls.get(script)
        if count is None:
            count = self._calls[script] = self._metrics.count(CALLS, script)
        count.add()

    def watch(self, ready: Callable[[], bool]) -> None:
        """Ask `ready` at every scrape."""
        self._metrics.read((READY,), lambda: [(READY, (), ready())])
