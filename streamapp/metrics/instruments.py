"""Counters and histograms as plain numbers, for paths that every task takes.

In: one call for each event, from one thread. Out: numbers, read when somebody asks. A lock and a look-up per event, as
Prometheus' own client has them for any number of threads, cost ten times as much
(`docs/decisions/0016-metrics-as-plain-numbers.md`).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

LATENCY_SECONDS: tuple[float, ...] = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0),
)
"""Upper bounds of latency buckets in seconds: those of the diary's totals."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: `name` in full (`streamapp_…`, a counter's with `_total`), what it means, and the names of its labels.

    Values of labels are bounded, whatever happens: never a task id, never what a stranger may choose.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Buckets:
    """A histogram as it is at this moment: one count for each bound and one for what is above them all, not summed up.

    `total` is the sum of what was observed; None where nobody kept it.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float | None


Sample: TypeAlias = tuple[Family, tuple[str, ...], float | Buckets]
"""A metric, the values of its labels, and its value."""


class Count:
    """Counts what happens."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, number: int = 1) -> None:
        """It happened, so many times."""
        self.value += number


class Spread:
    """How values spread over buckets, whose upper bounds are `bounds`."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float] = LATENCY_SECONDS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """One value more; below zero counts as zero, for a clock may have been set."""
        if value < 0.0:
            value = 0.0
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    @property
    def buckets(self) -> Buckets:
        """As it is now."""
        return Buckets(self._bounds, tuple(self._counts), self._total)
