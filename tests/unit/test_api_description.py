"""The OpenAPI document: complete, consistent with itself, and true to the routes and models there are."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from streamapp.api.description import openapi
from streamapp.api.problems import KINDS, PREFIX
from streamapp.api.service import build
from streamapp.clock import SystemClock
from streamapp.settings import Settings
from streamapp.tasktypes import Registry, TaskType
from streamapp.tasktypes.shipped import TYPES


class _Inner(BaseModel):
    n: int


class _Odd(BaseModel):
    inner: _Inner


REGISTRY = Registry.of([*TYPES, TaskType("odd name/ü", _Odd), TaskType("PLAIN")])


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(openapi(Settings(), REGISTRY)))


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from _walk(child)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = [node["$ref"] for node in _walk(document) if "$ref" in node]
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    assert not [node for node in _walk(document) if "$defs" in node]


def test_component_names_are_what_openapi_allows(document: dict[str, Any]) -> None:
    names = list(document["components"]["schemas"])
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names), names
    assert {"Payload-USER_CREATED", "Payload-WEBHOOK_DELIVERY", "Payload-odd_name__"} <= set(names)


def test_the_document_has_the_parts_that_openapi_asks_for(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {"title", "version"} <= document["info"].keys()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for operation in operations:
        assert operation["responses"]
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status)
            assert response["description"]
            assert response["content"]
        for parameter in operation.get("parameters", ()):
            assert {"name", "in", "schema"} <= parameter.keys()
    identifiers = [operation["operationId"] for operation in operations if "operationId" in operation]
    assert len(identifiers) == len(set(identifiers))


def test_the_document_tells_of_every_route_and_of_no_other(document: dict[str, Any]) -> None:
    application = build(Settings(), REGISTRY, None, SystemClock())  # type: ignore[arg-type]
    served = {
        (resource.canonical.replace("{task_id}", "{taskId}"), route.method.lower())
        for resource in application.router.resources()
        for route in resource
        if route.method != "HEAD"
    }
    told = {(path, method) for path, item in document["paths"].items() for method in item}
    assert told == served


def test_limits_and_types_are_those_of_the_installation(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Batch"]["properties"]["tasks"]["maxItems"] == 1000
    assert schemas["Submission"]["properties"]["type"]["enum"] == [
        "PLAIN",
        "USER_CREATED",
        "WEBHOOK_DELIVERY",
        "odd name/ü",
    ]
    pattern = schemas["ProblemDocument"]["properties"]["type"]["pattern"]
    assert all(re.fullmatch(pattern, PREFIX + slug) for slug in KINDS)


def test_the_api_never_loads_what_it_must_not_touch() -> None:
    program = (
        "import sys, streamapp.api.service\n"
        "bad = {'faust', 'mode', 'redis', 'aio_pika', 'rocksdict', 'agents', 'tables',"
        " 'streamapp.queue', 'streamapp.guard', 'streamapp.worker', 'streamapp.stream', 'streamapp.handlers'}\n"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
