"""What the diary's stand-in says: answers in the form of the views, with times around now.

Written by hand for the browser tests: every state, every kind of trouble, and texts that no page should trust.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

NASTY = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
"""What nobody may execute, wherever it is shown."""

LARGE = "evt-large"
FLAKY = "evt-flaky"
RUNNING = "evt-running"
PERMANENT = "evt-permanent"
REJECTED = "evt-rejected"
NASTY_ID = f"evt-{NASTY}"
ODD_ID = "evt/with slash?and=query#hash %41"
STATES = (
    "COMPLETED",
    "RUNNING",
    "FAILED_PERMANENTLY",
    "DISPATCHED",
    "RETRY_SCHEDULED",
    "ACCEPTED",
    "FAILED",
    "REJECTED",
)
ERRORS = {"Http503": "the receiver answered 503", "Timeout": "the handler did not end within 2 s"}
HISTOGRAM = {"1": 2, "2": 14, "5": 220, "10": 610, "20": 480, "50": 212, "100": 80, "200": 31, "500": 12, "1000": 4}
LATER_BUCKETS = ("2000", "5000", "10000", "30000", "60000", "300000", "+Inf")


def ago(seconds: float) -> str:
    """RFC 3339 of so many seconds ago; negative is to come."""
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def limits(*, stale: bool = False, missing: tuple[int, ...] = ()) -> Json:
    """What every answer says of itself."""
    return {"stale": stale, "asOf": ago(120 if stale else 0.2), "missingPartitions": list(missing)}


def histogram(p50: int = 10, p95: int = 50, p99: int = 200) -> Json:
    buckets = {**HISTOGRAM, **dict.fromkeys(LATER_BUCKETS, 0)}
    number = sum(buckets.values())
    return {"count": number, "sumMs": number * 21, "p50": p50, "p95": p95, "p99": p99, "buckets": buckets}


def overview() -> Json:
    return {
        "states": {
            "COMPLETED": 184_203,
            "FAILED_PERMANENTLY": 37,
            "DISPATCHED": 120,
            "RUNNING": 10,
            "RETRY_SCHEDULED": 14,
            "ACCEPTED": 3,
        },
        "open": 147,
        "lastMinute": {"accepted": 29_912, "completed": 29_731, "failed": 214, "failedPermanently": 4, "retried": 210},
        "perSecond": {"accepted": 498.5, "completed": 495.5, "failed": 3.6},
        "successRate": 0.9929,
        "latencies": {
            "dispatch": histogram(5, 20, 50),
            "execution": histogram(2, 10, 100),
            "endToEnd": histogram(20, 50, 200),
        },
        "lag": {"total": 12, "byPartition": {str(partition): (12 if partition == 3 else 0) for partition in range(8)}},
        "workers": {"seenLastMinute": 3, "running": 10},
        "duplicates": 5,
        "anomalies": 2,
        "unreadable": 1,
        "stuck": 2,
        "retrying": 14,
        "warnings": [
            {"slug": "nothing-started", "text": "Nothing has started for 40 s while 120 tasks wait", "since": ago(40)},
        ],
        **limits(),
    }


def rates(minutes: int) -> Json:
    """A wave with a burst of failures half-way."""
    series = []
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    passed = datetime.now(UTC).second / 60
    for index in range(minutes):
        at = minute - timedelta(minutes=minutes - 1 - index)
        wave = 18_000 + 9_000 * ((index * 7) % 13) / 13
        burst = 900 if minutes // 2 < index < minutes // 2 + 6 else 30 + (index * 5) % 17
        part = passed if index == minutes - 1 else 1
        series.append(
            {
                "at": at.isoformat().replace("+00:00", "Z"),
                "accepted": round(wave * part),
                "rejected": (index * 3) % 5,
                "dispatched": round(wave * 0.995 * part),
                "started": round(wave * 0.99 * part),
                "completed": round((wave * 0.985 - burst) * part),
                "failed": round(burst * part),
                "retried": round(burst * 0.9 * part),
                "failedPermanently": round(burst * 0.08 * part),
                "requeued": 0,
                "duplicates": index % 3,
            }
        )
    return {"stepSeconds": 60, "series": series, **limits()}


def summary(task_id: str, state: str, number: int = 0) -> Json:
    """One line of a list."""
    failed = state in ("FAILED_PERMANENTLY", "RETRY_SCHEDULED", "FAILED")
    error = "Http503" if number % 2 else "Timeout"
    ended = state in ("COMPLETED", "FAILED_PERMANENTLY")
    expected = {
        "ACCEPTED": {"what": "dispatch", "by": ago(-8)},
        "DISPATCHED": {"what": "start", "by": None},
        "RUNNING": {"what": "outcome", "by": ago(-47)},
        "RETRY_SCHEDULED": {"what": "retry", "by": ago(-5 - number)},
    }.get(state, {"what": "nothing", "by": None})
    return {
        "taskId": task_id,
        "type": ("WEBHOOK_DELIVERY", "USER_CREATED", "REPORT")[number % 3],
        "state": state,
        "attempt": 3 if state == "FAILED_PERMANENTLY" else 2 if failed else 1,
        "failures": 3 if state == "FAILED_PERMANENTLY" else 1 if failed else 0,
        "acceptedAt": ago(90 + number * 3),
        "changedAt": ago(1 + number * 3),
        "endedAt": ago(1 + number * 3) if ended else None,
        "notBefore": ago(-5 - number) if state == "RETRY_SCHEDULED" else None,
        "worker": None if state in ("ACCEPTED", "DISPATCHED", "REJECTED") else f"host-1-4711-0a1b2c3{number % 3}",
        "errorType": error if failed else None,
        "errorMessage": ERRORS[error] if failed else None,
        "anomalies": 1 if number == 2 else 0,
        "expected": expected,
        "overdue": False,
    }


def summaries(number: int = 130) -> list[Json]:
    """Tasks of all states, newest change first; with those that tests know by name."""
    named = [
        summary(FLAKY, "COMPLETED", 0),
        summary(RUNNING, "RUNNING", 1),
        summary(PERMANENT, "FAILED_PERMANENTLY", 2),
        summary(NASTY_ID, "RETRY_SCHEDULED", 3),
        summary(LARGE, "COMPLETED", 4),
        summary(ODD_ID, "DISPATCHED", 5),
    ]
    named[3] |= {"type": NASTY, "errorType": NASTY, "errorMessage": NASTY, "worker": NASTY}
    rest = [summary(f"0193a-task-{index:04d}", STATES[index % len(STATES)], index) for index in range(6, number)]
    return [*named, *rest]


def failures() -> Json:
    rows = [
        ("WEBHOOK_DELIVERY", "Http503", 412, 9, ERRORS["Http503"]),
        ("WEBHOOK_DELIVERY", "Timeout", 63, 2, ERRORS["Timeout"]),
        ("USER_CREATED", "SMTPServerDisconnected", 17, 0, "the mail server closed the connection"),
        ("REPORT", "InvalidParameters", 4, 4, "/year: a whole number is wanted"),
        (NASTY, NASTY, 1, 1, NASTY),
    ]
    found = [
        {
            "type": type_,
            "errorType": error,
            "count": number,
            "permanent": permanent,
            "firstAt": ago(7200 + number),
            "lastAt": ago(3 + number / 10),
            "lastMessage": message,
            "examples": [f"0193a-task-{number + index:04d}" for index in range(min(number, 5))],
        }
        for type_, error, number, permanent, message in rows
    ]
    return {"failures": found, **limits()}


def workers() -> Json:
    rows = [
        {
            "worker": f"host-{index}-4711-0a1b2c3{index}",
            "firstSeenAt": ago(86_400 * index + 3600),
            "lastSeenAt": ago(index * 40 + 0.4),
            "started": 61_402 - index * 900,
            "completed": 61_011 - index * 900,
            "failed": 391,
            "failureRate": 391 / 61_402,
            "perMinute": 9_911.0 if not index else 120.5,
            "running": [
                {"taskId": f"0193a-task-{index}{job:03d}", "attempt": 1, "since": ago(job + 0.5)}
                for job in range(8 - 4 * index)
            ],
        }
        for index in range(3)
    ]
    return {"workers": rows, **limits()}


def stuck() -> list[Json]:
    late = {"overdue": True, "since": ago(252), "why": "started 312 s ago; the type allows 60 s and no outcome came"}
    first = summary("0193a-stuck-0001", "RUNNING", 1) | late | {"expected": {"what": "outcome", "by": ago(252)}}
    second = (
        summary("0193a-stuck-0002", "ACCEPTED", 2)
        | late
        | {"since": ago(31), "why": "accepted and not dispatched for 41 s"}
    )
    return [first, second | {"expected": {"what": "dispatch", "by": ago(31)}}]


def anomalies() -> list[Json]:
    return [
        {
            "taskId": "0193a-task-0002",
            "type": "USER_CREATED",
            "partition": 2,
            "offset": 1071,
            "fact": "TaskExecutionCompleted",
            "reason": "an outcome after the end does not count",
            "at": ago(300),
        },
        {
            "taskId": NASTY_ID,
            "type": NASTY,
            "partition": 5,
            "offset": 77,
            "fact": "TaskAccepted",
            "reason": NASTY,
            "at": ago(4000),
        },
    ]


def unreadable() -> Json:
    record = {"topic": "task-lifecycle", "partition": 6, "offset": 12, "at": ago(5000), "reason": f"no JSON {NASTY}"}
    return {"records": [record], **limits()}


def outage() -> Json:
    return {
        "from": ago(3600),
        "to": ago(0),
        "accepted": 1204,
        "waited": {
            "count": 1204,
            "p50Ms": 1_020_000,
            "maxMs": 2_150_000,
            "longest": [
                {
                    "taskId": f"0193a-task-{index:04d}",
                    "attempt": 1,
                    "waitedMs": 2_150_000 - index * 700,
                    "still": index == 9,
                }
                for index in range(10)
            ],
        },
        "duplicatesSuppressed": 3,
        "failed": 12,
        "failedPermanently": 1,
        "unexplained": 0,
        "anomalies": 2,
        "unreadable": 0,
        "verdict": "as-designed",
        "findings": [
            "No TaskDispatched between 12:00:04 and 12:35:40: RabbitMQ was away, or dispatch was.",
            {"taskId": PERMANENT, "reason": f"failed permanently {NASTY}"},
        ],
        **limits(),
    }
