"""The report of a span of time as JSON, with what was found in words."""

from typing import Any

from streamapp.clock import rfc3339
from streamapp.domain.outage import Span, silences, verdict

MAX_REASONS = 10


def report(span: Span, first: int, last: int, missing: list[int]) -> dict[str, Any]:
    """The report. `missing` are partitions that nobody told of."""
    waits = sorted(span.waits)
    return {
        "from": rfc3339(first),
        "to": rfc3339(last),
        "accepted": span.accepted,
        "rejected": span.rejected,
        "waited": {
            "count": len(waits),
            "p50Ms": waits[len(waits) // 2] if waits else None,
            "maxMs": waits[-1] if waits else None,
            "longest": [
                {"taskId": wait.task_id, "attempt": wait.attempt, "waitedMs": wait.ms, "still": wait.still}
                for wait in span.longest
            ],
        },
        "duplicatesSuppressed": span.duplicates,
        "failed": span.failed,
        "failedPermanently": span.failed_permanently,
        "anomalies": sum(span.anomalies.values()),
        "unreadable": span.unreadable,
        "unexplained": span.unexplained,
        "verdict": verdict(span, bool(missing)),
        "findings": _findings(span, missing),
    }


def _findings(span: Span, missing: list[int]) -> list[str]:
    found = []
    if missing:
        found.append(f"nothing is known of partitions {', '.join(map(str, missing))}: ask again when they are held")
    for first, last in silences(span.dispatching):
        found.append(
            f"{_time(first)} to {_time(last)} ({last - first + 1} s): work was due and nothing was dispatched. "
            "Dispatch, Kafka or RabbitMQ did not work; the outbox kept it"
        )
    for first, last in silences(span.starting):
        found.append(
            f"{_time(first)} to {_time(last)} ({last - first + 1} s): jobs were handed out and none started. "
            "RabbitMQ, Redis or the workers did not work, or all workers were busy; the queue kept them"
        )
    for reason, number in sorted(span.anomalies.items(), key=lambda item: (-item[1], item[0]))[:MAX_REASONS]:
        found.append(f"kept as a contradiction, {number} times: {reason}")
    found += [f"unexplained: {named}" for named in span.unexplained_named]
    if span.unexplained > len(span.unexplained_named):
        found.append(f"unexplained: {span.unexplained - len(span.unexplained_named)} more tasks")
    return found


def _time(second: int) -> str:
    return rfc3339(second * 1000)
