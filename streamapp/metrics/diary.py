"""Tasks in numbers, derived from facts alone: read from the diary's statistics at every scrape, by partition.

In: the statistics of the partitions that a diary process holds. Out: samples. They count since the first fact, survive
every process, and come out the same after a rebuild. The partition is a label because it moves between processes with
all it has counted: without it, a counter would leap wherever it comes to. A sum over all diary processes is the whole.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from streamapp.domain.expectation import What
from streamapp.domain.facts import FACTS as KINDS
from streamapp.domain.latency import Latencies, joined
from streamapp.domain.progress import State
from streamapp.domain.statistics import Statistics
from streamapp.domain.totals import BUCKETS_MS, Totals
from streamapp.metrics.instruments import Buckets, Family, Sample
from streamapp.metrics.registry import Metrics

WHOLE = "of a partition held here; the sum over all diary processes is the whole."

FACTS = Family("counter", "streamapp_facts_total", f"Facts in the diary by name, {WHOLE}", ("fact", "partition"))
TASKS = Family("gauge", "streamapp_tasks", f"Tasks by state, {WHOLE}", ("state", "partition"))
FAILURES = Family(
    "counter",
    "streamapp_task_failures_total",
    f"Failed attempts by task type and error type, {WHOLE} Kinds beyond the first 500 of a partition are `other`.",
    ("type", "error", "partition"),
)
GIVEN_UP = Family(
    "counter",
    "streamapp_tasks_given_up_total",
    f"Tasks that failed for good, by task type and the error type of their last failure, {WHOLE}",
    ("type", "error", "partition"),
)
DISPATCH = Family(
    "histogram",
    "streamapp_due_to_dispatched_seconds",
    "From the moment an attempt was due to its TaskDispatched, by the broker's clock and task type; types that no "
    f"registry knows are `other`; {WHOLE}",
    ("type", "partition"),
)
HANDED_OUT = Family(
    "histogram",
    "streamapp_dispatched_to_ended_seconds",
    "From TaskDispatched (or the start, if that came first) to the outcome of the attempt, by the broker's clock and "
    f"task type, {WHOLE}",
    ("type", "partition"),
)
DUPLICATES = Family(
    "counter", "streamapp_duplicate_facts_total", f"Facts that the diary knew already, {WHOLE}", ("partition",)
)
ANOMALIES = Family(
    "counter", "streamapp_anomalies_total", f"Facts that contradict the history of their task, {WHOLE}", ("partition",)
)
UNREADABLE = Family(
    "counter", "streamapp_unreadable_records_total", f"Records of the diary that are no facts, {WHOLE}", ("partition",)
)
END_TO_END = Family(
    "histogram",
    "streamapp_accepted_to_completed_seconds",
    f"From TaskAccepted to the completion that counts, by the broker's clock and task type, {WHOLE}",
    ("type", "partition"),
)
EXECUTION = Family(
    "histogram",
    "streamapp_execution_seconds",
    f"The worker's time around the handler, for each outcome, {WHOLE}",
    ("partition",),
)
LAG = Family("gauge", "streamapp_diary_lag_facts", f"Facts that are not folded yet, {WHOLE}", ("partition",))
STALE = Family(
    "gauge", "streamapp_diary_stale", "1 while Kafka does not answer, so that the views may be overtaken; else 0."
)
OVERDUE = Family(
    "gauge",
    "streamapp_tasks_overdue",
    f"Stuck tasks: what is expected next (dispatch, start, outcome, retry) should have come before now, {WHOLE}",
    ("expected", "partition"),
)

NO_FACTS = dict.fromkeys((kind.NAME for kind in KINDS), 0)
NOT_OVERDUE: dict[What, int] = {"dispatch": 0, "start": 0, "outcome": 0, "retry": 0}
NO_TASKS = dict.fromkeys(map(str, State), 0)

OTHER = "other"

OF_TOTALS = (FACTS, TASKS, DUPLICATES, ANOMALIES, UNREADABLE, EXECUTION)
OF_STATISTICS = (FAILURES, GIVEN_UP, DISPATCH, HANDED_OUT, END_TO_END)

OfPartition: TypeAlias = Callable[[int], Iterable[Sample]]
"""Samples of one partition that is held."""


class Watched(Protocol):
    """How far a diary is behind."""

    @property
    def stale(self) -> bool:
        """Whether Kafka does not answer."""

    def lag(self) -> dict[int, int]:
        """Facts not yet folded, by partition held."""


class DiaryMetrics:
    """Reads what one diary holds.

    Args:
        held: the partitions held.
        statistics_of: what is durable of the statistics of one of them: what may be taken back is no counter.
        types: the task types that are told apart.
        overdue: its stuck tasks by what is expected of them, or None while nobody knows; None where nobody keeps a
            list.
    """

    def __init__(
        self,
        metrics: Metrics,
        held: Callable[[], Iterable[int]],
        statistics_of: Callable[[int], Statistics],
        freshness: Watched,
        types: Collection[str] = (),
        overdue: Callable[[int], Mapping[What, int] | None] | None = None,
    ) -> None:
        self._metrics = metrics
        self._held = held
        self._freshness = freshness
        metrics.read((LAG, STALE), self._read)
        told_apart = frozenset(types)
        self.add(
            OF_TOTALS + OF_STATISTICS, lambda partition: of_statistics(partition, statistics_of(partition), told_apart)
        )
        if overdue is not None:
            self.add((OVERDUE,), lambda partition: of_overdue(partition, overdue(partition)))

    def add(self, families: Sequence[Family], of_partition: OfPartition) -> None:
        """Read more of every partition held: what else the diary keeps beside its totals."""

        def read() -> Iterator[Sample]:
            for partition in self._held():
                yield from of_partition(partition)

        self._metrics.read(families, read)

    def _read(self) -> Iterator[Sample]:
        for partition, facts in self._freshness.lag().items():
            yield LAG, (str(partition),), facts
        yield STALE, (), self._freshness.stale


def of_statistics(partition: int, statistics: Statistics, types: Collection[str]) -> Iterator[Sample]:
    """The samples in the statistics of a partition. Types that are not among `types` are told of as one."""
    place = str(partition)
    yield from of_totals(partition, statistics.totals)
    for kind, failure in statistics.failures.items():
        yield FAILURES, (*kind, place), failure.count
        yield GIVEN_UP, (*kind, place), failure.permanent
    parts: dict[str, list[Latencies]] = {name: [] for name in (*types, OTHER)}
    for name, row in statistics.types.items():
        parts[name if name in types else OTHER].append(row.latencies)
    for name, latencies in parts.items():
        whole = joined(latencies)
        for family, found in (
            (DISPATCH, whole.dispatch),
            (HANDED_OUT, whole.execution),
            (END_TO_END, whole.end_to_end),
        ):
            yield family, (name, place), seconds(found.counts, found.sum_ms)


def of_totals(partition: int, totals: Totals) -> Iterator[Sample]:
    """The samples in the totals of a partition."""
    place = str(partition)
    # A series that begins with its first event would hide that event from a rate: what is known to be possible is zero.
    yield from _by_name(FACTS, NO_FACTS | totals.facts, place)
    yield from _by_name(TASKS, NO_TASKS | totals.states, place)
    yield DUPLICATES, (place,), totals.duplicates
    yield ANOMALIES, (place,), totals.anomalies
    yield UNREADABLE, (place,), totals.unreadable
    yield EXECUTION, (place,), seconds(totals.execution)


def of_overdue(partition: int, stuck: Mapping[What, int] | None) -> Iterator[Sample]:
    """The samples of a partition's stuck tasks by what is expected: dispatch, start, outcome or retry.

    None if nobody knows: then nothing is told, which is not the same as zero.
    """
    if stuck is not None:
        yield from _by_name(OVERDUE, {**NOT_OVERDUE, **stuck}, str(partition))


def seconds(counts: Sequence[int], total_ms: int | None = None) -> Buckets:
    """A histogram of the diary, which counts milliseconds, in seconds. `total_ms`: their sum, where it is kept."""
    bounds = tuple(bound / 1000 for bound in BUCKETS_MS)
    return Buckets(bounds, counts, None if total_ms is None else total_ms / 1000)


def _by_name(family: Family, counts: Mapping[Any, int], place: str) -> Iterator[Sample]:
    return ((family, (name, place), number) for name, number in counts.items())
