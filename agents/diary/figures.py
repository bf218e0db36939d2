"""The figures: totals, failures by kind, workers, rates by minute, latencies, lag, unreadable records.

Each process tells of its own partitions (`/v1/parts/…`), and the one that was asked adds them up.
"""

from typing import Any

import msgspec
from aiohttp import web

from agents.diary.agent import Diary
from agents.diary.answers import Answers
from agents.diary.owners import Owners
from agents.diary.parts import Numbers, Part
from agents.diary.query import Query
from agents.diary.tallies import failures_view, latencies_view, minute_series, workers_view
from agents.diary.views import totals_view, unreadable_view
from streamapp.clock import Clock
from streamapp.domain.failures import Failure
from streamapp.domain.latency import Latencies
from streamapp.domain.minutes import MAX_MINUTES, MINUTE_MS, between, by_type
from streamapp.domain.statistics import Statistics
from streamapp.domain.totals import Totals, merge
from streamapp.domain.workers import Worker

DEFAULT_WINDOW = 60
MAX_RUNNING = 1_000
"""Running tasks told of for each partition."""


class Running(msgspec.Struct, array_like=True):
    """A task that runs."""

    worker: str
    task_id: str
    attempt: int
    since: int


class Workers(msgspec.Struct, array_like=True):
    """What one partition says of workers. `running` is null while that is not known."""

    workers: list[Worker]
    running: list[Running] | None


class Figures:
    """Answers from the table of totals."""

    def __init__(self, diary: Diary, owners: Owners, answers: Answers, clock: Clock) -> None:
        self._diary = diary
        self._answers = answers
        self._clock = clock
        window = ("first", "last")
        self._totals = Part("totals", Totals, self._tell_totals, owners)
        self._failures = Part("failures", list[Failure], self._tell_failures, owners)
        self._workers = Part("workers", Workers, self._tell_workers, owners)
        self._rates = Part("rates", dict[int, list[int]], self._tell_rates, owners, window)
        self._latencies = Part("latencies", dict[str, Latencies], self._tell_latencies, owners, window)
        self._lag = Part("lag", int, self._tell_lag, owners)
        self.parts: list[Part[Any]] = [
            self._totals,
            self._failures,
            self._workers,
            self._rates,
            self._latencies,
            self._lag,
        ]

    async def totals(self, request: web.Request) -> web.Response:
        """Sums over all partitions."""
        Query(request, ())
        told = await self._totals.everywhere()
        return self._answers.over_all(totals_view(merge(list(told.values()))), told)

    async def unreadable(self, request: web.Request) -> web.Response:
        """The latest records of the diary that are no facts."""
        Query(request, ())
        told = await self._totals.everywhere()
        return self._answers.over_all({"records": unreadable_view(told, self._diary.topic)}, told)

    async def failures(self, request: web.Request) -> web.Response:
        """Failures by task type and error type, the most frequent first."""
        Query(request, ())
        told = await self._failures.everywhere()
        return self._answers.over_all({"failures": failures_view(told.values())}, told)

    async def workers(self, request: web.Request) -> web.Response:
        """Workers: what they have done, and what they run now; the one that was seen last first."""
        Query(request, ())
        told = await self._workers.everywhere()
        known = [worker for part in told.values() for worker in part.workers]
        running = [task for part in told.values() for task in part.running or ()]
        view = {"workers": workers_view(known, running, self._clock.now_ms())}
        return self._answers.over_all(view, [partition for partition, part in told.items() if part.running is not None])

    async def rates(self, request: web.Request) -> web.Response:
        """Facts by minute, oldest first."""
        query = Query(request, ("until", "window"))
        first, last = self._window(query, query.whole("window", DEFAULT_WINDOW, 1, MAX_MINUTES))
        told = await self._rates.everywhere(first=first, last=last)
        view = {"stepSeconds": MINUTE_MS // 1000, "series": minute_series(told.values(), first, last)}
        return self._answers.over_all(view, told)

    async def latencies(self, request: web.Request) -> web.Response:
        """Histograms of the three latencies, over all tasks and by type; of a window of minutes, or for ever."""
        query = Query(request, ("until", "window"))
        window = query.whole("window", 0, 1, MAX_MINUTES)
        first, last = self._window(query, window) if window or query.text("until") else (0, 0)
        told = await self._latencies.everywhere(first=first, last=last)
        return self._answers.over_all(latencies_view(told.values()), told)

    async def lag(self, request: web.Request) -> web.Response:
        """Facts not yet folded, by partition."""
        Query(request, ())
        told = await self._lag.everywhere()
        return self._answers.over_all({"lag": {str(partition): told[partition] for partition in sorted(told)}}, told)

    def _window(self, query: Query, window: int) -> tuple[int, int]:
        """The first and the last minute of a window: the newest one is that of `until`, or of now."""
        until = query.moment("until")
        last = max(self._clock.now_ms() if until is None else until, 0) // MINUTE_MS
        return max(last - (window or DEFAULT_WINDOW) + 1, 0), last

    def _held(self) -> dict[int, Statistics]:
        totals = self._diary.totals
        return {partition: totals.of(partition) for partition in totals.table.held()}

    def _tell_totals(self, _: Numbers) -> dict[int, Totals]:
        return {partition: statistics.totals for partition, statistics in self._held().items()}

    def _tell_failures(self, _: Numbers) -> dict[int, list[Failure]]:
        return {partition: list(statistics.failures.values()) for partition, statistics in self._held().items()}

    def _tell_workers(self, _: Numbers) -> dict[int, Workers]:
        indexes = self._diary.indexes.ready()
        told = {}
        for partition, statistics in self._held().items():
            running = None
            if (index := indexes.get(partition)) is not None:
                now = [task for task, _ in zip(index.running(), range(MAX_RUNNING), strict=False)]
                running = [Running(task.worker or "", task.task_id, task.attempt, task.since) for task in now]
            told[partition] = Workers(list(statistics.workers.values()), running)
        return told

    def _tell_rates(self, numbers: Numbers) -> dict[int, dict[int, list[int]]]:
        first, last = numbers["first"], numbers["last"]
        return {
            partition: {minute.minute: minute.counts for minute in between(statistics.minutes, first, last)}
            for partition, statistics in self._held().items()
        }

    def _tell_latencies(self, numbers: Numbers) -> dict[int, dict[str, Latencies]]:
        """Of the minutes from `first` to `last`; if both are zero, for ever."""
        first, last = numbers["first"], numbers["last"]
        if not last:
            return {
                partition: {name: of_type.latencies for name, of_type in statistics.types.items()}
                for partition, statistics in self._held().items()
            }
        return {
            partition: by_type(between(statistics.minutes, first, last))
            for partition, statistics in self._held().items()
        }

    def _tell_lag(self, _: Numbers) -> dict[int, int]:
        return self._answers.freshness.lag()
