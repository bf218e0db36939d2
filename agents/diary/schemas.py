"""JSON schemas of the diary's answers, for its OpenAPI document. A test compares them with real answers."""

from typing import Any

from streamapp.domain.minutes import COUNTED
from streamapp.domain.progress import State

Schema = dict[str, Any]


def _object(**properties: Schema) -> Schema:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _map(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _of(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _with(schema: Schema, **more: Schema) -> Schema:
    return _object(**{**schema["properties"], **more})


TEXT: Schema = {"type": "string"}
MAYBE_TEXT = _or_null(TEXT)
WHOLE: Schema = {"type": "integer"}
MAYBE_WHOLE = _or_null(WHOLE)
NUMBER: Schema = {"type": "number"}
MAYBE_NUMBER = _or_null(NUMBER)
YES: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
MAYBE_TIME = _or_null(TIME)
ANY: Schema = {}
STATE: Schema = {"type": "string", "enum": list(State)}
FRESH = {"stale": YES, "asOf": MAYBE_TIME}
OVER_ALL = {**FRESH, "missingPartitions": _list(WHOLE)}
EXPECTED = _object(what={"type": "string", "enum": ["dispatch", "start", "outcome", "retry", "nothing"]}, by=MAYBE_TIME)
COUNTS = dict.fromkeys(COUNTED, WHOLE)

SUMMARY = _object(
    taskId=TEXT,
    type=MAYBE_TEXT,
    state=STATE,
    attempt=WHOLE,
    failures=WHOLE,
    acceptedAt=MAYBE_TIME,
    changedAt=TIME,
    endedAt=MAYBE_TIME,
    notBefore=MAYBE_TIME,
    worker=MAYBE_TEXT,
    errorType=MAYBE_TEXT,
    errorMessage=MAYBE_TEXT,
    anomalies=WHOLE,
    expected=EXPECTED,
    overdue=YES,
)
PAGE = {"next": MAYBE_TEXT, "complete": YES, **OVER_ALL}
TASK = {
    "taskId": TEXT,
    "state": STATE,
    "type": MAYBE_TEXT,
    "attempt": WHOLE,
    "failures": WHOLE,
    "acceptedAt": MAYBE_TIME,
    "endedAt": MAYBE_TIME,
    "notBefore": MAYBE_TIME,
    "payload": ANY,
    "result": ANY,
    "policy": _or_null(_map(NUMBER)),
    "origin": _or_null({"type": "object"}),
    "attempts": _list({"type": "object"}),
    "facts": _list(
        _object(
            fact=TEXT,
            partition=WHOLE,
            offset=WHOLE,
            at=TIME,
            id=TEXT,
            source=TEXT,
            attempt=MAYBE_WHOLE,
            worker=MAYBE_TEXT,
            detail={"type": "object"},
        )
    ),
    "anomalies": _list(_object(partition=WHOLE, offset=WHOLE, fact=TEXT, reason=TEXT)),
    "duplicates": WHOLE,
    "requeues": WHOLE,
    "expected": EXPECTED,
    "factsNotKept": WHOLE,
    "position": _object(topic=TEXT, partition=WHOLE, offset=WHOLE),
}
HISTOGRAM = _object(count=WHOLE, sumMs=WHOLE, p50=MAYBE_WHOLE, p95=MAYBE_WHOLE, p99=MAYBE_WHOLE, buckets=_map(WHOLE))
BUCKETS = _object(count=WHOLE, p50=MAYBE_WHOLE, p95=MAYBE_WHOLE, p99=MAYBE_WHOLE, buckets=_map(WHOLE))
LATENCIES = _object(dispatch=_of("Histogram"), execution=_of("Histogram"), endToEnd=_of("Histogram"))

SCHEMAS: dict[str, Schema] = {
    "Summary": SUMMARY,
    "TaskPage": _object(tasks=_list(_of("Summary")), **PAGE),
    "StuckPage": _object(tasks=_list(_with(SUMMARY, since=TIME, why=TEXT)), **PAGE),
    "AnomalyPage": _object(
        anomalies=_list(
            _object(taskId=TEXT, type=MAYBE_TEXT, partition=WHOLE, offset=WHOLE, fact=TEXT, reason=TEXT, at=TIME)
        ),
        **PAGE,
    ),
    "Task": {**_object(**TASK, **FRESH), "properties": {**TASK, **FRESH, "at": TEXT}},
    "Failures": _object(
        failures=_list(
            _object(
                type=MAYBE_TEXT,
                errorType=TEXT,
                count=WHOLE,
                permanent=WHOLE,
                firstAt=TIME,
                lastAt=TIME,
                lastMessage=TEXT,
                examples=_list(TEXT),
            )
        ),
        **OVER_ALL,
    ),
    "Workers": _object(
        workers=_list(
            _object(
                worker=TEXT,
                firstSeenAt=TIME,
                lastSeenAt=TIME,
                lastStartedAt=MAYBE_TIME,
                started=WHOLE,
                completed=WHOLE,
                failed=WHOLE,
                failureRate=MAYBE_NUMBER,
                perMinute=NUMBER,
                running=_list(_object(taskId=TEXT, attempt=WHOLE, since=TIME)),
            )
        ),
        **OVER_ALL,
    ),
    "Rates": _object(stepSeconds=WHOLE, series=_list(_object(at=TIME, **COUNTS)), **OVER_ALL),
    "Histogram": HISTOGRAM,
    "Latencies": LATENCIES,
    "LatenciesByType": _with(LATENCIES, byType=_map(_of("Latencies")), **OVER_ALL),
    "Totals": _object(
        facts=_map(WHOLE),
        states=_map(WHOLE),
        duplicates=WHOLE,
        anomalies=WHOLE,
        unreadable=WHOLE,
        errors=_map(WHOLE),
        acceptedToCompletedMs=BUCKETS,
        executionMs=BUCKETS,
        **OVER_ALL,
    ),
    "UnreadableRecords": _object(
        records=_list(_object(topic=TEXT, partition=WHOLE, offset=WHOLE, at=TIME, reason=TEXT)), **OVER_ALL
    ),
    "Lag": _object(lag=_map(WHOLE), **OVER_ALL),
    "Overview": _object(
        states=_map(WHOLE),
        open=WHOLE,
        lastMinute=_object(**COUNTS),
        perSecond=_object(**dict.fromkeys(COUNTED, NUMBER)),
        successRate=MAYBE_NUMBER,
        successRateEver=MAYBE_NUMBER,
        latencies=_of("Latencies"),
        lag=_object(total=WHOLE, byPartition=_map(WHOLE)),
        workers=_object(seenLastMinute=WHOLE, running=WHOLE),
        duplicates=WHOLE,
        anomalies=WHOLE,
        unreadable=WHOLE,
        stuck=WHOLE,
        retrying=WHOLE,
        warnings=_list(_object(slug=TEXT, text=TEXT, since=MAYBE_TIME)),
        **OVER_ALL,
    ),
    "Outage": _object(
        **{"from": TIME},
        to=TIME,
        accepted=WHOLE,
        rejected=WHOLE,
        waited=_object(
            count=WHOLE,
            p50Ms=MAYBE_WHOLE,
            maxMs=MAYBE_WHOLE,
            longest=_list(_object(taskId=TEXT, attempt=WHOLE, waitedMs=WHOLE, still=YES)),
        ),
        duplicatesSuppressed=WHOLE,
        failed=WHOLE,
        failedPermanently=WHOLE,
        anomalies=WHOLE,
        unreadable=WHOLE,
        unexplained=WHOLE,
        verdict={"type": "string", "enum": ["as-designed", "unexplained", "incomplete"]},
        findings=_list(TEXT),
        **OVER_ALL,
    ),
    "Event": _object(
        taskId=TEXT,
        type=MAYBE_TEXT,
        fact=TEXT,
        state=STATE,
        attempt=WHOLE,
        worker=MAYBE_TEXT,
        partition=WHOLE,
        offset=WHOLE,
        at=TIME,
    ),
    "Problem": _object(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT),
}
