"""JSON Schema, as much of it as the api's OpenAPI document uses: what fits a schema, what breaks it, and where.

In: schemas, with references into their document. Out: a value that fits, values that do not with a pointer to what is
wrong with each, and complaints about a value. An unknown keyword is an error, so that none is passed over.
"""

import re
from collections.abc import Iterator
from random import Random
from typing import Any, TypeAlias

from tests.faults.poison.other_types import another

Schema: TypeAlias = dict[str, Any]
Pointer: TypeAlias = str

TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "string": ("text", str),
    "integer": ("integer", int),
    "number": ("number", (int, float)),
    "boolean": ("flag", bool),
    "object": ("object", dict),
    "array": ("list", list),
    "null": ("nothing", type(None)),
}
KNOWN = frozenset(
    {
        *("$ref", "type", "enum", "const", "anyOf", "properties", "required", "additionalProperties", "items"),
        *("minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"),
        *("title", "description", "default", "examples", "format", "minProperties"),
    }
)


class Schemas:
    """The schemas of one document."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def resolved(self, schema: Schema) -> Schema:
        """What a reference refers to."""
        while "$ref" in schema:
            found: Any = self._document
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = found
        unknown = schema.keys() - KNOWN
        if unknown:
            raise ValueError(f"keywords of JSON Schema that nobody has taught this module: {sorted(unknown)}")
        return schema

    def fitting(self, schema: Schema) -> Any:
        """A value that fits; only what is required is in it."""
        schema = self.resolved(schema)
        if "anyOf" in schema:
            return self.fitting(schema["anyOf"][0])
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else schema["enum"][0]
        match schema.get("type"):
            case "object":
                return {name: self.fitting(schema["properties"][name]) for name in schema.get("required", ())}
            case "array":
                return [self.fitting(schema["items"]) for _ in range(schema.get("minItems", 0))]
            case "string":
                return "x" * max(schema.get("minLength", 0), 1)
            case "integer" | "number":
                return max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
            case "boolean":
                return True
            case _:
                return None

    def breaking(self, schema: Schema, chance: Random, at: Pointer = "") -> Iterator[tuple[Pointer, Any]]:
        """Values that break the schema in one place each, and a pointer to the place."""
        schema = self.resolved(schema)
        choices = [self.resolved(choice) for choice in schema.get("anyOf", [schema])]
        types = [choice["type"] for choice in choices if "type" in choice]
        if types:
            first, *others = (TYPES[name][0] for name in types)
            yield at, another(chance, first, *others)
        for choice in choices:
            if "enum" in choice:
                yield at, "none of " + "".join(choice["enum"])[:50]
            if choice.get("minLength"):
                yield at, ""
            if "maxLength" in choice:
                yield at, "x" * (choice["maxLength"] + 1)
            if "minimum" in choice:
                yield at, choice["minimum"] - 1
            if choice.get("type") == "object":
                yield from self._breaking_object(choice, chance, at)
            if choice.get("type") == "array":
                yield from self._breaking_list(choice, chance, at)

    def _breaking_object(self, schema: Schema, chance: Random, at: Pointer) -> Iterator[tuple[Pointer, Any]]:
        right = self.fitting(schema)
        for name in schema.get("required", ()):
            yield f"{at}/{name}", {key: value for key, value in right.items() if key != name}
        for name, inner in schema.get("properties", {}).items():
            for pointer, value in self.breaking(inner, chance, f"{at}/{name}"):
                yield pointer, {**right, name: value}
        if schema.get("additionalProperties", True) is False:
            yield f"{at}/unheard-of", {**right, "unheard-of": chance.choice([None, 1, {}])}

    def _breaking_list(self, schema: Schema, chance: Random, at: Pointer) -> Iterator[tuple[Pointer, Any]]:
        item = self.fitting(schema["items"])
        if schema.get("minItems"):
            yield at, [item] * (schema["minItems"] - 1)
        if "maxItems" in schema:
            yield at, [item] * (schema["maxItems"] + 1)
        for pointer, value in self.breaking(schema["items"], chance, f"{at}/0"):
            yield pointer, [value]

    def complaints(self, schema: Schema, value: Any, at: Pointer = "") -> Iterator[str]:
        """Where a value does not fit."""
        schema = self.resolved(schema)
        if "anyOf" in schema:
            found = [list(self.complaints(choice, value, at)) for choice in schema["anyOf"]]
            if all(found):
                yield min(found, key=len)[0]
            return
        wanted = schema.get("type")
        if wanted and (not isinstance(value, TYPES[wanted][1]) or (isinstance(value, bool) and wanted != "boolean")):
            yield f"{at or '/'} is no {wanted}"
            return
        yield from self._about(schema, value, at)

    def _about(self, schema: Schema, value: Any, at: Pointer) -> Iterator[str]:
        if value not in schema.get("enum", [value]) or schema.get("const", value) != value:
            yield f"{at or '/'} is none of the values allowed"
        match value:
            case str():
                if not re.search(schema.get("pattern", ""), value) or len(value) < schema.get("minLength", 0):
                    yield f"{at or '/'} is no such text"
            case int() | float():
                if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                    yield f"{at or '/'} is out of bounds"
            case dict():
                known = schema.get("properties", {})
                yield from (f"{at}/{name} is missing" for name in schema.get("required", ()) if name not in value)
                for name, inner in value.items():
                    if name in known:
                        yield from self.complaints(known[name], inner, f"{at}/{name}")
                    elif schema.get("additionalProperties", True) is False:
                        yield f"{at}/{name} is not described"
                    elif isinstance(schema.get("additionalProperties"), dict):
                        yield from self.complaints(schema["additionalProperties"], inner, f"{at}/{name}")
            case list():
                for number, inner in enumerate(value):
                    yield from self.complaints(schema.get("items", {}), inner, f"{at}/{number}")
