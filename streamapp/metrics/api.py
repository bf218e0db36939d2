"""The HTTP entrance in numbers: requests by route and status, how long they took, and what became of the tasks."""

from streamapp.metrics.instruments import Count, Family, Spread
from streamapp.metrics.registry import Metrics

REQUESTS = Family(
    "counter",
    "streamapp_api_requests_total",
    "Requests answered. route is the pattern of the path, `none` where there is none; 503 means that the diary could "
    "not be written, 499 that the client had gone.",
    ("method", "route", "status"),
)
DURATION = Family(
    "histogram",
    "streamapp_api_request_duration_seconds",
    "From the head of a request until its answer was ready, its body's arrival included.",
    ("route",),
)
IN_FLIGHT = Family("gauge", "streamapp_api_requests_in_flight", "Requests that are being answered now.")
TASKS = Family(
    "counter",
    "streamapp_api_tasks_total",
    "Submitted tasks by what became of them: accepted, rejected (not valid), refused (nothing was recorded), unknown "
    "(not acknowledged in time).",
    ("outcome",),
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods told apart; a client may make up others, which are `other`."""


class ApiMetrics:
    """Counts for one api."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self.now = self._metrics.now
        self._requests: dict[tuple[str, str, int], Count] = {}
        self._durations: dict[str, Spread] = {}
        self.in_flight = 0
        self.accepted = self._metrics.count(TASKS, "accepted")
        self.rejected = self._metrics.count(TASKS, "rejected")
        self.refused = self._metrics.count(TASKS, "refused")
        self.unknown = self._metrics.count(TASKS, "unknown")
        self._metrics.know(REQUESTS, DURATION)
        self._metrics.read((IN_FLIGHT,), lambda: [(IN_FLIGHT, (), self.in_flight)])

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered with `status` after `seconds`. `route` is one of the application's own."""
        key = (method if method in METHODS else "other", route, status)
        count = self._requests.get(key)
        if count is None:
            count = self._requests[key] = self._metrics.count(REQUESTS, key[0], route, str(status))
        count.add()
        spread = self._durations.get(route)
        if spread is None:
            spread = self._durations[route] = self._metrics.spread(DURATION, route)
        spread.observe(seconds)
