"""Every metric that streamapp has, as one process with every part in it would know them; and scrapes, read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from streamapp.domain.statistics import Statistics
from streamapp.metrics import Family, Metrics
from streamapp.metrics.api import ApiMetrics
from streamapp.metrics.diary import DiaryMetrics
from streamapp.metrics.facts import FactMetrics
from streamapp.metrics.guard import GuardMetrics
from streamapp.metrics.ingest import IngestMetrics
from streamapp.metrics.outbox import OutboxMetrics
from streamapp.metrics.publishing import PublishMetrics
from streamapp.metrics.stream import StreamMetrics
from streamapp.metrics.vitals import Vitals
from streamapp.metrics.worker import WorkerMetrics


class Fresh:
    """A diary that is up to date."""

    stale = False

    def lag(self) -> dict[int, int]:
        return {0: 0}


def everything() -> Metrics:
    """The metrics of all roles together."""
    metrics = Vitals("all").metrics
    FactMetrics(metrics)
    ApiMetrics(metrics)
    PublishMetrics(metrics)
    IngestMetrics(metrics, dict, dict)
    OutboxMetrics(metrics).watch(dict, int, dict)
    stream = StreamMetrics(metrics)
    stream.watch(bool, dict, int)
    stream.agent("diary")
    GuardMetrics(metrics).watch(bool)
    WorkerMetrics(metrics).watch(int, int, 5)
    DiaryMetrics(metrics, lambda: [0], lambda _: Statistics(), Fresh(), (), lambda _: {})
    return metrics


def families() -> dict[str, Family]:
    """All of them by name."""
    return {family.name: family for family in everything().families}


@dataclass
class Scrape:
    """What one scrape told. `types` and `meanings` go by the name of the family as the text has it."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        """The sample with exactly these labels."""
        return self.samples[(name, frozenset(labels.items()))]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels among others."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)

    def having(self, name: str) -> list[Mapping[str, str]]:
        """The labels of every sample of that name."""
        return [dict(labels) for found, labels in self.samples if found == name]


def read(text: str) -> Scrape:
    """The samples in the text of a scrape. Fails if one is told twice."""
    scrape = Scrape()
    for family in text_string_to_metric_families(text):
        scrape.types[family.name] = family.type
        scrape.meanings[family.name] = family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in scrape.samples, f"told twice: {key}"
            scrape.samples[key] = sample.value
    return scrape


def scrape(metrics: Metrics) -> Scrape:
    """What a scrape of `metrics` tells."""
    body, _ = metrics.text()
    return read(body.decode())
