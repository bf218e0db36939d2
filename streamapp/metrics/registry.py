"""All metrics of one process: the numbers that it counts, and the questions that it asks when it is scraped.

In: families with their counters, and functions that read what is kept elsewhere. Out: the text of `/metrics`. The only
module that knows Prometheus' client, which writes the format; a process has one `Metrics`, and whoever is given none
counts for nobody.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from streamapp.clock import Clock, SystemClock
from streamapp.metrics.instruments import LATENCY_SECONDS, Buckets, Count, Family, Sample, Spread
from streamapp.telemetry import get_log

PREFIX = "streamapp_"

FAILURES = Family(
    "counter",
    "streamapp_metrics_read_failures_total",
    "Questions asked for a scrape that failed; their metrics were missing from it. The log has the reason.",
)

log = get_log(__name__)

Read = Callable[[], Iterable[Sample]]


class Metrics:
    """The metrics of a process. Belongs to the thread of its event loop.

    `now` gives monotonic seconds, for durations: an event loop's own time stands still within a turn, and uvloop's goes
    by whole milliseconds.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.now: Callable[[], float] = (clock or SystemClock()).monotonic
        self._families: dict[str, Family] = {}
        self._counts: dict[tuple[str, tuple[str, ...]], Count] = {}
        self._spreads: dict[tuple[str, tuple[str, ...]], Spread] = {}
        self._reads: list[Read] = []
        self._registry: CollectorRegistry | None = None
        self._failures = self.count(FAILURES)

    @property
    def families(self) -> list[Family]:
        """Every metric there is, in the order in which they were made known."""
        return list(self._families.values())

    def know(self, *families: Family) -> None:
        """Make metrics known.

        Raises:
            ValueError: the name stands for another metric already.
        """
        for family in families:
            if self._families.setdefault(family.name, family) != family:
                raise ValueError(f"{family.name} is another metric already")

    def count(self, family: Family, *values: str) -> Count:
        """The counter for these values of its labels: for equal ones always the same."""
        self.know(family)
        return self._counts.setdefault((family.name, values), Count())

    def spread(self, family: Family, *values: str, bounds: Sequence[float] = LATENCY_SECONDS) -> Spread:
        """The histogram for these values of its labels: for equal ones always the same."""
        self.know(family)
        return self._spreads.setdefault((family.name, values), Spread(bounds))

    def read(self, families: Sequence[Family], read: Read) -> None:
        """Ask `read` for samples of `families` at every scrape. It runs on the event loop: it must be quick."""
        self.know(*families)
        self._reads.append(read)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """What a scrape is answered, and its content type, chosen by the header Accept."""
        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """For Prometheus' client: every metric that has a sample."""
        found = {name: _empty(family) for name, family in self._families.items()}
        for family, values, value in self._samples():
            _add(found[family.name], values, value)
        yield from (metric for metric in found.values() if metric.samples)

    def describe(self) -> list[Metric]:
        """For Prometheus' client: no name is taken beforehand."""
        return []

    def _samples(self) -> Iterator[Sample]:
        for read in self._reads:
            try:
                yield from list(read())
            except Exception:
                # What cannot be read (a table that is being given up, say) must not hide everything else.
                log.exception("metrics could not be read")
                self._failures.add()
        for (name, values), count in self._counts.items():
            yield self._families[name], values, count.value
        for (name, values), spread in self._spreads.items():
            yield self._families[name], values, spread.buckets


def _empty(family: Family) -> Metric:
    match family.kind:
        case "counter":
            return CounterMetricFamily(family.name, family.meaning, labels=family.labels)
        case "gauge":
            return GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
        case "histogram":
            return HistogramMetricFamily(family.name, family.meaning, labels=family.labels)


def _add(metric: Metric, values: Sequence[str], value: float | Buckets) -> None:
    if isinstance(metric, HistogramMetricFamily) and isinstance(value, Buckets):
        bounds = [*map(floatToGoString, value.bounds), "+Inf"]
        counts, seen = [], 0
        for number in value.counts:
            seen += number
            counts.append(seen)
        metric.add_metric(values, list(zip(bounds, counts, strict=True)), value.total)
        if value.total is None:
            metric.add_sample(f"{metric.name}_count", dict(zip(metric._labelnames, values, strict=True)), seen)
    elif isinstance(metric, CounterMetricFamily | GaugeMetricFamily) and not isinstance(value, Buckets):
        metric.add_metric(values, value)
    else:
        raise TypeError(f"{metric.name} is a {metric.type} and its value a {type(value).__name__}")
