"""The api described: an index for people who look at `/`, and OpenAPI 3.1 made from the models."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from streamapp.api.models import AcceptedTask, Batch, BatchAnswer, HealthAnswer, ProblemDocument, RequeueAnswer
from streamapp.api.problems import CONTENT_TYPE
from streamapp.api.reading import IDEMPOTENCY_KEY, TRACEPARENT
from streamapp.api.tasks import JSON
from streamapp.settings import Settings
from streamapp.tasktypes import Registry
from streamapp.wire import json
from streamapp.wire.submissions import MAX_REQUEUED, RequeueRequest, Submission

_REFERENCE = "#/components/schemas/"
_MODELS: tuple[type[BaseModel], ...] = (
    AcceptedTask,
    Batch,
    BatchAnswer,
    HealthAnswer,
    ProblemDocument,
    RequeueAnswer,
    RequeueRequest,
    Submission,
)

_SUBMISSION_PROBLEMS = {
    400: "not JSON, or a bad header",
    408: "the body came too slowly",
    413: "body or payload too large",
    415: "not application/json, or compressed",
    422: "not valid; every reason with a JSON pointer",
    503: "not recorded (outcome refused) or not acknowledged in time (outcome unknown)",
}


class Description:
    """The handlers of `/` and `/openapi.json`. Both documents are made once."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._openapi = json.dump(openapi(settings, registry))
        diary = f"http://{settings.diary.advertised_host}:{settings.diary.port}"
        links = {
            "tasks": "/v1/tasks",
            "batch": "/v1/tasks:batch",
            "requeues": "/v1/requeues",
            "diary": f"{diary}/v1/tasks",
            "live": "/livez",
            "ready": "/readyz",
            "metrics": "/metrics",
            "openapi": "/openapi.json",
        }
        self._index = json.dump({"service": "streamapp api", "version": version("streamapp"), "links": links})

    async def index(self, _request: web.Request) -> web.Response:
        """What there is."""
        return web.Response(body=self._index, headers=JSON)

    async def openapi(self, _request: web.Request) -> web.Response:
        """The OpenAPI document."""
        return web.Response(body=self._openapi, headers=JSON)


def openapi(settings: Settings, registry: Registry) -> dict[str, Any]:
    """The api of this installation in OpenAPI 3.1: its limits and the payloads of its task types included."""
    payloads = {_component(name): kind.model for name, kind in sorted(registry.types.items()) if kind.model}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streamapp api",
            "version": version("streamapp"),
            "description": "Accepts background tasks: 202 means that Kafka has acknowledged the record.",
        },
        "paths": {
            "/v1/tasks": {"post": _submit(settings)},
            "/v1/tasks:batch": {"post": _submit_batch(settings)},
            "/v1/tasks/{taskId}": {"get": _look_up()},
            "/v1/requeues": {"post": _requeue(settings)},
            "/livez": {"get": _health("Whether the process lives", {200: "it does"})},
            "/readyz": {"get": _health("Whether tasks can be accepted now", {200: "yes", 503: "no, and why"})},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _document("This document")},
            "/": {"get": _document("What there is")},
        },
        "components": {"schemas": _schemas(settings, registry, payloads)},
    }


def _component(type: str) -> str:
    """Name of the schema of a type's payload; OpenAPI allows few characters there."""
    return "Payload-" + re.sub(r"[^A-Za-z0-9._-]", "_", type)


def _schemas(settings: Settings, registry: Registry, payloads: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template=_REFERENCE + "{model}"
    )
    schemas: dict[str, Any] = dict(definitions["$defs"])
    for name, model in payloads.items():
        schema = model.model_json_schema(ref_template=_REFERENCE + name + ".{model}")
        for inner, definition in schema.pop("$defs", {}).items():
            schemas[f"{name}.{inner}"] = definition
        schemas[name] = schema
    schemas["Batch"]["properties"]["tasks"]["maxItems"] = settings.api.max_batch
    if not settings.api.allow_unregistered_types:
        schemas["Submission"]["properties"]["type"]["enum"] = sorted(registry.types)
    if payloads:
        known = ", ".join(payloads)
        schemas["Submission"]["properties"]["payload"]["description"] = f"Parameters of the task; see {known}"
    return schemas


def _submit(settings: Settings) -> dict[str, Any]:
    accepted = _answer("recorded and acknowledged by Kafka", AcceptedTask)
    accepted["headers"] = {"Location": {"description": "the task", "schema": {"type": "string"}}}
    return {
        "summary": "Submit one task",
        "operationId": "submitTask",
        "parameters": _parameters(),
        "requestBody": _body(Submission, settings),
        "responses": {"202": accepted, **_problems(_SUBMISSION_PROBLEMS)},
    }


def _submit_batch(settings: Settings) -> dict[str, Any]:
    return {
        "summary": f"Submit up to {settings.api.max_batch} tasks in one window",
        "operationId": "submitBatch",
        "parameters": _parameters(),
        "requestBody": _body(Batch, settings),
        "responses": {
            "202": _answer("all were accepted", BatchAnswer),
            "207": _answer("some were accepted: see each item", BatchAnswer),
            **_problems(_SUBMISSION_PROBLEMS),
        },
    }


def _requeue(settings: Settings) -> dict[str, Any]:
    problems = {status: text for status, text in _SUBMISSION_PROBLEMS.items() if status != 413}
    return {
        "summary": f"Try up to {MAX_REQUEUED} tasks again that have failed for good",
        "operationId": "requeueTasks",
        "parameters": _parameters("the same key with the same actor and reason: no second attempt")[:1],
        "requestBody": _body(RequeueRequest, settings),
        "responses": {
            "202": _answer("recorded and acknowledged by Kafka; what each does is in its history", RequeueAnswer),
            **_problems({**problems, 413: "body too large"}),
        },
    }


def _look_up() -> dict[str, Any]:
    parameter = {"name": "taskId", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "summary": "Where to look up a task: the diary",
        "operationId": "lookUpTask",
        "parameters": [parameter],
        "responses": _problems({404: "always; links.diary is the address"}),
    }


def _health(summary: str, answers: Mapping[int, str]) -> dict[str, Any]:
    responses = {str(status): _answer(text, HealthAnswer) for status, text in answers.items()}
    return {"summary": summary, "responses": responses}


def _document(summary: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"summary": summary, "responses": {"200": {"description": "a JSON object", "content": content}}}


def _metrics() -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    text = "Prometheus' text format; OpenMetrics where Accept asks for it"
    return {
        "summary": "Numbers for Prometheus",
        "responses": {"200": {"description": text, "content": content}},
    }


def _parameters(same_key: str = "the same key: the same task, for ever") -> list[dict[str, Any]]:
    key = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"}
    return [
        {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "schema": key,
            "description": same_key,
        },
        {"name": TRACEPARENT, "in": "header", "schema": {"type": "string"}, "description": "W3C Trace Context"},
    ]


def _body(model: type[BaseModel], settings: Settings) -> dict[str, Any]:
    text = f"at most {settings.api.max_body_bytes} bytes; each payload at most {settings.tasks.max_payload_bytes}"
    return {"required": True, "description": text, "content": {"application/json": {"schema": _reference(model)}}}


def _problems(texts: Mapping[int, str]) -> dict[str, Any]:
    return {
        str(status): {"description": text, "content": {CONTENT_TYPE: {"schema": _reference(ProblemDocument)}}}
        for status, text in texts.items()
    }


def _answer(text: str, model: type[BaseModel]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _reference(model)}}}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE + model.__name__}
