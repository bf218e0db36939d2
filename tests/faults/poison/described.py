"""The api against its own description: what the OpenAPI document forbids is refused, and answered as it says.

In: the document that the api itself gives. Out: requests that break it, and complaints about answers that do.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from tests.faults.poison.broken_json import text_of
from tests.faults.poison.other_types import another
from tests.faults.poison.requests import BATCH, JSON, ONE, REQUEUES, Asked
from tests.faults.poison.schema import Schema, Schemas

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BAD_TEXTS = ("", " ", "a b", "é", "a" * 129, "a/b", "a\tb", "{}", "a,b")
PAYLOAD = "Payload-"


class Description:
    """One OpenAPI document."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self.schemas = Schemas(document)

    def wrong_requests(self, chance: Random, count: int) -> list[Asked]:
        """`count` requests out of everything that the document forbids."""
        made: list[Asked] = []
        while len(made) < count:
            made += [
                *self._bodies(chance),
                *self._payloads(chance),
                *self._parameters(chance),
                *self._methods(chance),
            ]
        chance.shuffle(made)
        return made[:count]

    def complaints(self, path: str, method: str, status: int, kind: str, body: bytes) -> list[str]:
        """Where an answer is not what the document says."""
        responses = self._document["paths"].get(path, {}).get(method.lower(), {}).get("responses")
        if responses is None:
            return []  # a method that is not described has no answers that are
        described = responses.get(str(status))
        if described is None:
            return [f"{method} {path} answers {status}, which is not described"]
        schema = described["content"].get(kind, {}).get("schema")
        if schema is None:
            return [f"{method} {path} answers {status} as {kind}, which is not described"]
        return list(self.schemas.complaints(schema, json.loads(body)))

    def _bodies(self, chance: Random) -> Iterator[Asked]:
        """Bodies that break the schema of the request."""
        for path in (ONE, BATCH, REQUEUES):
            content = self._document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            for pointer, value in self.schemas.breaking(content["schema"], chance):
                asked = Asked("against the description: body", path, text_of(value), 422, pointer=pointer)
                item = re.fullmatch(r"/tasks/0(/.*|)", pointer)
                yield replace(asked, pointer=None, items=(item[1],)) if item else asked

    def _payloads(self, chance: Random) -> Iterator[Asked]:
        """Payloads that break the schema of their type."""
        for name, schema in self._document["components"]["schemas"].items():
            if not name.startswith(PAYLOAD) or "." in name:
                continue
            for pointer, payload in self.schemas.breaking(schema, chance, "/payload"):
                body = text_of({"type": name.removeprefix(PAYLOAD), "payload": payload})
                yield Asked("against the description: payload", ONE, body, 422, pointer=pointer)

    def _parameters(self, chance: Random) -> Iterator[Asked]:
        """Headers that are not what their pattern says."""
        for path in (ONE, BATCH, REQUEUES):
            for parameter in self._document["paths"][path]["post"]["parameters"]:
                pattern = parameter["schema"].get("pattern")
                for value in BAD_TEXTS if pattern else ():
                    if not re.search(pattern, value):
                        headers = {**JSON, parameter["name"]: value}
                        body = text_of(another(chance, "list"))
                        family = "against the description: header"
                        yield Asked(family, path, body, 400, headers, word=parameter["name"])

    def _methods(self, _chance: Random) -> Iterator[Asked]:
        """Methods that a path does not have. HEAD comes with GET."""
        for path, methods in self._document["paths"].items():
            for method in METHODS:
                if method.lower() not in methods:
                    family = "against the description: method"
                    yield Asked(family, path.replace("{taskId}", "any"), b"", 405, JSON, method=method)
