"""The diary's views described in OpenAPI 3.1 (`/openapi.json`): paths, parameters, answers, problems."""

from importlib.metadata import version
from typing import Any

from aiohttp import web

from agents.diary import schemas
from agents.diary.lists import DEFAULT_LIMIT, MAX_LIMIT
from agents.diary.one_task import MAX_WAIT_SECONDS
from agents.diary.problems import CONTENT_TYPE, KINDS
from streamapp.domain.minutes import MAX_MINUTES
from streamapp.domain.progress import State
from streamapp.wire import json

Document = dict[str, Any]


class Description:
    """The handler of `/openapi.json`. The document is made once."""

    def __init__(self) -> None:
        self._openapi = json.dump(openapi())

    async def openapi(self, _: web.Request) -> web.Response:
        """The document."""
        return web.Response(body=self._openapi, content_type="application/json")


def openapi() -> Document:
    """The views in OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streamapp diary",
            "version": version("streamapp"),
            "description": "What the facts in Kafka say. Every answer is derived from them and says how fresh it is.",
        },
        "paths": {path: {"get": view} for path, view in _views().items()},
        "components": {"schemas": schemas.SCHEMAS},
    }


def _views() -> dict[str, Document]:
    page = [
        _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
        _parameter("cursor", {"type": "string"}, "`next` of the page before"),
    ]
    text: Document = {"type": "string"}
    seconds: Document = {"type": "number", "minimum": 0}
    moment: Document = {"type": "string", "format": "date-time"}
    window: Document = {"type": "integer", "minimum": 1, "maximum": MAX_MINUTES}
    until = _parameter("until", moment, "the newest minute; default: now")
    states: Document = {"type": "array", "items": {"type": "string", "enum": list(State)}}
    return {
        "/v1/tasks": _view(
            "Tasks, newest change first",
            "TaskPage",
            [
                _parameter("state", states, "may be repeated"),
                _parameter("type", text),
                _parameter("worker", text, "that started it last"),
                _parameter("error", text, "error type of its last failure"),
                _parameter("anomaly", {"type": "boolean"}, "only tasks with contradictions"),
                _parameter("olderThan", seconds, "seconds since the last change, at least"),
                _parameter("youngerThan", seconds, "seconds since the last change, at most"),
                *page,
            ],
        ),
        "/v1/tasks/{taskId}": _view(
            "Everything about one task",
            "Task",
            [
                {**_parameter("taskId", text), "in": "path", "required": True},
                _parameter("wait", {**seconds, "maximum": MAX_WAIT_SECONDS}, "seconds to wait until it has ended"),
                _parameter("at", text, "as it was: a time as RFC 3339, or PARTITION:OFFSET"),
                _parameter("min_position", text, "PARTITION:OFFSET that has to be folded"),
            ],
            ("task-unknown", "history-not-kept", "not-yet-folded", "partition-recovering", "owner-unreachable"),
        ),
        "/v1/stuck": _view("Open tasks that are overdue, longest first", "StuckPage", page),
        "/v1/retrying": _view("Tasks that wait for another attempt, next due first", "TaskPage", page),
        "/v1/anomalies": _view("Contradictions, newest first", "AnomalyPage", page),
        "/v1/failures": _view("Failures by type and error type, most frequent first", "Failures"),
        "/v1/workers": _view("Workers, last seen first", "Workers"),
        "/v1/rates": _view("Facts by minute", "Rates", [_parameter("window", window, "minutes"), until]),
        "/v1/latencies": _view(
            "Latencies, over all and by type",
            "LatenciesByType",
            [_parameter("window", window, "minutes; default: for ever"), until],
        ),
        "/v1/totals": _view("Sums over all partitions", "Totals"),
        "/v1/unreadable": _view("The latest records that are no facts", "UnreadableRecords"),
        "/v1/lag": _view("Facts not yet folded", "Lag"),
        "/v1/overview": _view("How things stand", "Overview"),
        "/v1/outage": _view(
            "What became of the work of a span of time",
            "Outage",
            [{**_parameter(name, moment), "required": True} for name in ("from", "to")],
            ("window-too-large", "topic-unreadable", "too-many-waiting"),
        ),
        "/v1/events/stream": _stream(),
        "/livez": _health("Whether the process lives"),
        "/readyz": _health("Whether facts are being folded"),
        "/openapi.json": _health("This document"),
    }


def _view(
    summary: str, schema: str, parameters: list[Document] | None = None, problems: tuple[str, ...] = ()
) -> Document:
    content = {"application/json": {"schema": _reference(schema)}}
    return {
        "summary": summary,
        "parameters": parameters or [],
        "responses": {
            "200": {"description": summary, "content": content},
            **_problems(("invalid-parameter", *problems)),
        },
    }


def _stream() -> Document:
    parameters = [
        _parameter("process", {"type": "string", "enum": ["only"]}, "the events of this process alone"),
        {**_parameter("Last-Event-ID", {"type": "string"}, "go on behind this event"), "in": "header"},
    ]
    text = "server-sent events: `fact`, `gap` and `skipped`"
    answer = {"description": text, "content": {"text/event-stream": {"schema": _reference("Event")}}}
    return {
        "summary": "Every fact as it is folded",
        "parameters": parameters,
        "responses": {"200": answer, **_problems(("invalid-parameter", "too-many-waiting"))},
    }


def _health(summary: str) -> Document:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"summary": summary, "responses": {"200": {"description": "a JSON object", "content": content}}}


def _problems(slugs: tuple[str, ...]) -> Document:
    texts: dict[str, list[str]] = {}
    for slug in slugs:
        status, title = KINDS[slug]
        texts.setdefault(str(status), []).append(f"{slug}: {title}")
    schema = {"schema": _reference("Problem")}
    return {
        status: {"description": "; ".join(lines), "content": {CONTENT_TYPE: schema}} for status, lines in texts.items()
    }


def _parameter(name: str, schema: Document, text: str | None = None) -> Document:
    described = {} if text is None else {"description": text}
    return {"name": name, "in": "query", "schema": schema, **described}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
