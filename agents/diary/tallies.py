"""What partitions tell, added up and made JSON: kinds of failure, workers, minutes, latencies. Changes none of it."""

from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import Any, Protocol

from agents.diary.summary import time_of
from streamapp.clock import rfc3339
from streamapp.domain import failures, workers
from streamapp.domain.failures import Failure
from streamapp.domain.latency import Histogram, Latencies, joined
from streamapp.domain.minutes import COUNTED, MINUTE_MS
from streamapp.domain.totals import BUCKETS_MS
from streamapp.domain.workers import Worker

PER_MINUTE_OVER = 5
"""Minutes that a worker's throughput is an average of, the one that has begun among them."""


class RunningTask(Protocol):
    """A task that runs."""

    worker: str
    task_id: str
    attempt: int
    since: int


def failures_view(parts: Iterable[Iterable[Failure]]) -> list[dict[str, Any]]:
    """Kinds of failure over all partitions, the most frequent first."""
    kinds: dict[tuple[str, str], Failure] = {}
    for failure in (failure for part in parts for failure in part):
        key = failure.type, failure.error_type
        if key in kinds:
            kinds[key].join(failure)
        else:
            kinds[key] = failures.copied(failure)
    frequent = sorted(kinds.values(), key=lambda kind: (-kind.count, -kind.permanent, kind.type, kind.error_type))
    return [
        {
            "type": kind.type or None,
            "errorType": kind.error_type,
            "count": kind.count,
            "permanent": kind.permanent,
            "firstAt": rfc3339(kind.first_at),
            "lastAt": rfc3339(kind.last_at),
            "lastMessage": kind.last_message,
            "examples": kind.examples,
        }
        for kind in frequent
    ]


def workers_view(known: Iterable[Worker], running: Iterable[RunningTask], now_ms: int) -> list[dict[str, Any]]:
    """Workers over all partitions, the one that was seen last first."""
    whole: dict[str, Worker] = {}
    for worker in known:
        if worker.worker in whole:
            whole[worker.worker].join(worker)
        else:
            whole[worker.worker] = workers.copied(worker)
    busy: dict[str, list[dict[str, Any]]] = {}
    for task in sorted(running, key=lambda task: (task.since, task.task_id)):
        view = {"taskId": task.task_id, "attempt": task.attempt, "since": rfc3339(task.since)}
        busy.setdefault(task.worker, []).append(view)
    latest = sorted(whole.values(), key=lambda worker: (-worker.last_seen_at, worker.worker))
    return [
        {
            "worker": worker.worker,
            "firstSeenAt": rfc3339(worker.first_seen_at),
            "lastSeenAt": rfc3339(worker.last_seen_at),
            "lastStartedAt": time_of(worker.last_started_at),
            "started": worker.started,
            "completed": worker.completed,
            "failed": worker.failed,
            "failureRate": worker.failure_rate,
            "perMinute": per_minute(worker, now_ms),
            "running": busy.get(worker.worker, []),
        }
        for worker in latest
    ]


def per_minute(worker: Worker, now_ms: int) -> float:
    """Attempts that ended, a minute, over the last minutes, or since the worker is known if that is less."""
    first = now_ms // MINUTE_MS - PER_MINUTE_OVER + 1
    ended = sum(number for minute, number in worker.recent.items() if minute >= first)
    minutes = (now_ms - max(first * MINUTE_MS, worker.first_seen_at)) / MINUTE_MS
    return round(ended / max(minutes, 1.0), 3)


def minute_series(parts: Iterable[Mapping[int, Sequence[int]]], first: int, last: int) -> list[dict[str, Any]]:
    """Every minute from `first` to `last`, those in which nothing happened among them."""
    whole: dict[int, list[int]] = {}
    for part in parts:
        for minute, counts in part.items():
            known = whole.get(minute)
            whole[minute] = list(counts) if known is None else list(map(add, known, counts))
    nothing = [0] * len(COUNTED)
    return [
        {"at": rfc3339(minute * MINUTE_MS), **dict(zip(COUNTED, whole.get(minute, nothing), strict=True))}
        for minute in range(first, last + 1)
    ]


def latencies_view(parts: Iterable[Mapping[str, Latencies]]) -> dict[str, Any]:
    """The three latencies over all tasks, and by type."""
    types: dict[str, list[Latencies]] = {}
    for part in parts:
        for name, latencies in part.items():
            types.setdefault(name, []).append(latencies)
    whole = {name: joined(found) for name, found in sorted(types.items())}
    return {**latency_view(joined(whole.values())), "byType": {name: latency_view(one) for name, one in whole.items()}}


def latency_view(latencies: Latencies) -> dict[str, Any]:
    """Three histograms."""
    return {
        "dispatch": histogram_view(latencies.dispatch),
        "execution": histogram_view(latencies.execution),
        "endToEnd": histogram_view(latencies.end_to_end),
    }


def histogram_view(histogram: Histogram) -> dict[str, Any]:
    """A histogram: `buckets` maps an upper bound in milliseconds to how many lie in it, above the bound before."""
    bounds = [*map(str, BUCKETS_MS), "+Inf"]
    return {
        "count": histogram.count,
        "sumMs": histogram.sum_ms,
        "p50": histogram.quantile(0.5),
        "p95": histogram.quantile(0.95),
        "p99": histogram.quantile(0.99),
        "buckets": dict(zip(bounds, histogram.counts, strict=True)),
    }
