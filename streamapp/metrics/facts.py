"""What is appended to the diary by this process, how long Kafka took, and what it did not take."""

from collections.abc import Sequence

from streamapp.domain.errors import Refused
from streamapp.domain.facts import FACTS, AnyFact
from streamapp.metrics.instruments import Family
from streamapp.metrics.registry import Metrics

APPENDED = Family(
    "counter",
    "streamapp_facts_appended_total",
    "Facts that this process appended and Kafka acknowledged; one appended twice counts twice.",
    ("fact",),
)
DURATION = Family(
    "histogram",
    "streamapp_fact_append_duration_seconds",
    "From handing facts over until Kafka had acknowledged them, those that go together observed once.",
)
REFUSED = Family(
    "counter",
    "streamapp_facts_not_appended_total",
    "Facts that were not acknowledged. refused: not handed over, because Kafka is known to be down or the record is "
    "too large; unknown: handed over and not acknowledged in time.",
    ("outcome",),
)


class FactMetrics:
    """Counts for one fact log."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        metrics = metrics or Metrics()
        self.now = metrics.now
        self._appended = {fact.NAME: metrics.count(APPENDED, fact.NAME) for fact in FACTS}
        self._duration = metrics.spread(DURATION)
        self._refused, self._unknown = metrics.count(REFUSED, "refused"), metrics.count(REFUSED, "unknown")

    def durable(self, facts: Sequence[AnyFact], seconds: float) -> None:
        """All of these were acknowledged, after `seconds`."""
        if facts:
            self._duration.observe(seconds)
        for fact in facts:
            self._appended[fact.NAME].add()

    def window(self, facts: Sequence[AnyFact], results: Sequence[object], seconds: float) -> None:
        """After `seconds`, each fact has its result: Refused, another exception, or what says where it lies."""
        durable = []
        for fact, result in zip(facts, results, strict=True):
            if isinstance(result, Refused):
                self._refused.add()
            elif isinstance(result, Exception):
                self._unknown.add()
            else:
                durable.append(fact)
        self.durable(durable, seconds)
