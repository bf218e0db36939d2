"""Jobs handed to RabbitMQ in numbers: confirmed, returned, not confirmed, and how long a confirm takes."""

from collections.abc import Sequence

from streamapp.domain.errors import OutcomeUnknown, StreamappError, Unavailable
from streamapp.metrics.instruments import Count, Family
from streamapp.metrics.registry import Metrics

PUBLISHED = Family(
    "counter",
    "streamapp_dispatch_jobs_published_total",
    "Jobs that RabbitMQ has confirmed, by queue; one that was published again counts again.",
    ("queue",),
)
CONFIRM = Family(
    "histogram",
    "streamapp_dispatch_confirm_duration_seconds",
    "From handing jobs to RabbitMQ until it had confirmed them, those that go together observed once.",
)
FAILURES = Family(
    "counter",
    "streamapp_dispatch_publish_failures_total",
    "Publishes that came to nothing and are tried again. unroutable: returned, no queue takes the job; unavailable: "
    "not handed over; unknown: handed over and not confirmed.",
    ("reason",),
)


class PublishMetrics:
    """Counts for one publisher of `queues`."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._published: dict[str, Count] = {}
        self._confirm = self._metrics.spread(CONFIRM)
        self._metrics.know(PUBLISHED)
        self._unroutable = self._metrics.count(FAILURES, "unroutable")
        self._unavailable = self._metrics.count(FAILURES, "unavailable")
        self._unknown = self._metrics.count(FAILURES, "unknown")

    def window(self, queues: Sequence[str], answers: Sequence[StreamappError | None], seconds: float) -> None:
        """After `seconds` each job is on its queue, which is one of the settings, or has its error."""
        confirmed = False
        for queue, error in zip(queues, answers, strict=True):
            if error is None:
                confirmed = True
                self._count(queue).add()
            elif isinstance(error, OutcomeUnknown):
                self._unknown.add()
            elif isinstance(error, Unavailable):
                self._unavailable.add()
            else:
                self._unroutable.add()
        if confirmed:
            self._confirm.observe(seconds)

    def _count(self, queue: str) -> Count:
        count = self._published.get(queue)
        if count is None:
            count = self._published[queue] = self._metrics.count(PUBLISHED, queue)
        return count
