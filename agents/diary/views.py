"""What the web answers, as plain JSON values made from tasks and totals. Times are RFC 3339 of the broker's clock."""

from typing import Any

from streamapp.clock import rfc3339
from streamapp.domain.dispatch import Limits
from streamapp.domain.expectation import expected, standing_since
from streamapp.domain.facts import Origin
from streamapp.domain.policy import Policy
from streamapp.domain.task import Entry, Task
from streamapp.domain.totals import BUCKETS_MS, Totals, quantile


def task_view(task: Task, topic: str, partition: int, limits: Limits) -> dict[str, Any]:
    """Everything the diary knows of a task: state, attempts, every fact with partition and offset, anomalies."""
    next_step = expected(task, standing_since(task), limits)
    return {
        "taskId": task.task_id,
        "state": str(task.state),
        "type": task.type,
        "attempt": task.progress.attempt,
        "failures": task.progress.failures,
        "requeues": task.requeues,
        "acceptedAt": _time(task.accepted_at),
        "endedAt": _time(task.ended_at),
        "notBefore": _time(task.not_before),
        "payload": task.payload,
        "result": task.result,
        "policy": None if task.policy is None else _policy(task.policy),
        "origin": None if task.origin is None else _origin(task.origin),
        "attempts": _attempts(task.history),
        "facts": [_fact(entry, partition) for entry in task.history],
        "anomalies": [
            {"partition": partition, "offset": item.offset, "fact": item.fact, "reason": item.reason}
            for item in task.anomalies
        ],
        "duplicates": task.duplicates,
        "expected": {"what": next_step.what, "by": _time(next_step.by)},
        "factsNotKept": task.dropped,
        "position": {"topic": topic, "partition": partition, "offset": task.offset},
    }


def totals_view(totals: Totals) -> dict[str, Any]:
    """Sums over partitions."""
    return {
        "facts": totals.facts,
        "states": totals.states,
        "duplicates": totals.duplicates,
        "anomalies": totals.anomalies,
        "unreadable": totals.unreadable,
        "errors": totals.errors,
        "acceptedToCompletedMs": _histogram(totals.accepted_to_completed),
        "executionMs": _histogram(totals.execution),
    }


def unreadable_view(parts: dict[int, Totals], topic: str) -> list[dict[str, Any]]:
    """The latest records that are no facts: where they lie and why they cannot be read."""
    return [
        {
            "topic": topic,
            "partition": partition,
            "offset": item.offset,
            "at": _time(item.at),
            "reason": item.reason,
        }
        for partition, totals in sorted(parts.items())
        for item in totals.unreadable_last
    ]


def _attempts(history: list[Entry]) -> list[dict[str, Any]]:
    """The facts of each attempt, gathered: when it was dispatched, every start with its worker, and how it ended."""
    attempts: dict[int, dict[str, Any]] = {}
    for entry in history:
        if entry.attempt is None:
            continue
        attempt = attempts.setdefault(
            entry.attempt, {"attempt": entry.attempt, "scheduledAt": None, "dispatchedAt": None, "starts": []}
        )
        at = rfc3339(entry.at)
        match entry.fact:
            case "TaskRetryScheduled":
                attempt["scheduledAt"] = at
                attempt["reason"] = entry.detail.get("reason")
            case "TaskRequeued":
                attempt["scheduledAt"] = at
                attempt["reason"], attempt["requeuedBy"] = entry.detail.get("reason"), entry.detail.get("actor")
            case "TaskDispatched":
                attempt["dispatchedAt"] = attempt["dispatchedAt"] or at
            case "TaskExecutionStarted":
                attempt["starts"].append({"worker": entry.worker, "at": at})
            case "TaskExecutionCompleted" | "TaskExecutionFailed":
                outcomes = attempt.setdefault("outcomes", [])
                outcomes.append({"fact": entry.fact, "worker": entry.worker, "at": at, **entry.detail})
            case _:
                pass
    return [attempts[number] for number in sorted(attempts)]


def _fact(entry: Entry, partition: int) -> dict[str, Any]:
    return {
        "fact": entry.fact,
        "partition": partition,
        "offset": entry.offset,
        "at": rfc3339(entry.at),
        "id": entry.id,
        "source": entry.source,
        "attempt": entry.attempt,
        "worker": entry.worker,
        "detail": entry.detail,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "maxAttempts": policy.max_attempts,
        "delaySeconds": policy.delay_seconds,
        "multiplier": policy.multiplier,
        "maxDelaySeconds": policy.max_delay_seconds,
        "timeoutSeconds": policy.timeout_seconds,
        "jitter": policy.jitter,
    }


def _origin(origin: Origin) -> dict[str, Any]:
    place = {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset}
    return {"kind": origin.kind, **{name: value for name, value in place.items() if value is not None}}


def _histogram(counts: list[int]) -> dict[str, Any]:
    bounds = [*map(str, BUCKETS_MS), "+Inf"]
    return {
        "count": sum(counts),
        "p50": quantile(counts, 0.5),
        "p95": quantile(counts, 0.95),
        "p99": quantile(counts, 0.99),
        "buckets": dict(zip(bounds, counts, strict=True)),
    }


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds)
