"""The worker in numbers: deliveries, what the guard answered, handlers, outcomes, and what was settled how.

Types are those of the registry; any other one, which a stranger may choose, is `other`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from streamapp.domain.outcome import Completed, Outcome
from streamapp.metrics.instruments import Count, Family, Sample, Spread
from streamapp.metrics.registry import Metrics

DELIVERIES = Family(
    "counter",
    "streamapp_worker_deliveries_total",
    "Deliveries from RabbitMQ; redelivered: handed out before.",
    ("redelivered",),
)
CLAIMS = Family(
    "counter",
    "streamapp_worker_claims_total",
    "Claims by the guard's answer: claimed, held (another claim lives), known (the outcome is), superseded (by a later "
    "attempt), doomed (too many workers died of it).",
    ("answer",),
)
HANDLER = Family(
    "histogram",
    "streamapp_worker_handler_duration_seconds",
    "One run of a handler, by task type; types that no registry knows are `other`.",
    ("type",),
)
OUTCOMES = Family(
    "counter",
    "streamapp_worker_outcomes_total",
    "Outcomes recorded by this worker: completed, retryable (failed, may be tried again), not_retryable.",
    ("type", "outcome"),
)
SETTLEMENTS = Family(
    "counter",
    "streamapp_worker_settlements_total",
    "Deliveries given back to RabbitMQ: ack, requeue, dead_letter; lost: the channel was gone, and it is delivered "
    "again.",
    ("how",),
)
RUNNING = Family("gauge", "streamapp_worker_handlers_running", "Handlers that run now.")
CONCURRENCY = Family("gauge", "streamapp_worker_concurrency", "Handlers that may run at once.")
HELD = Family("gauge", "streamapp_worker_jobs_held", "Jobs in hand, in whatever stage; not acknowledged yet.")
OTHER = "other"
ANSWERS = ("Claimed", "Held", "Known", "Superseded", "Doomed")
"""Names of the guard's answers, which is a door that metrics may not know."""


@dataclass(frozen=True, slots=True)
class TypeMetrics:
    """What is counted for one task type."""

    handler: Spread
    completed: Count
    retryable: Count
    not_retryable: Count

    def ended(self, outcome: Outcome) -> None:
        """An attempt has an outcome that the diary knows."""
        if isinstance(outcome, Completed):
            self.completed.add()
        else:
            (self.retryable if outcome.retryable else self.not_retryable).add()


class WorkerMetrics:
    """Counts for one worker that knows `types`."""

    def __init__(self, metrics: Metrics | None = None, types: Iterable[str] = ()) -> None:
        self._metrics = metrics or Metrics()
        self._types = {name: self._of(name) for name in (*types, OTHER)}
        self._first = self._metrics.count(DELIVERIES, "false")
        self._redelivered = self._metrics.count(DELIVERIES, "true")
        self._claims = {name: self._metrics.count(CLAIMS, name.lower()) for name in ANSWERS}
        self._settled = {
            how: self._metrics.count(SETTLEMENTS, how) for how in ("ack", "requeue", "dead_letter", "lost")
        }

    def type(self, name: str) -> TypeMetrics:
        """What is counted for the task type `name`."""
        return self._types.get(name) or self._types[OTHER]

    def delivered(self, redelivered: bool) -> None:
        """A delivery came in."""
        (self._redelivered if redelivered else self._first).add()

    def answered(self, answer: object) -> None:
        """The guard answered a claim."""
        self._claims[answer.__class__.__name__].add()

    def settled(self, how: str, told: bool) -> None:
        """A delivery was settled: ack, requeue or dead_letter. `told`: the broker heard of it."""
        self._settled[how if told else "lost"].add()

    def watch(self, running: Callable[[], int], held: Callable[[], int], concurrency: int) -> None:
        """Ask at every scrape what runs and what is held."""

        def read() -> Iterator[Sample]:
            yield RUNNING, (), running()
            yield HELD, (), held()
            yield CONCURRENCY, (), concurrency

        self._metrics.read((RUNNING, HELD, CONCURRENCY), read)

    def _of(self, type: str) -> TypeMetrics:
        count = self._metrics.count
        return TypeMetrics(
            self._metrics.spread(HANDLER, type),
            count(OUTCOMES, type, "completed"),
            count(OUTCOMES, type, "retryable"),
            count(OUTCOMES, type, "not_retryable"),
        )
