"""Checks a JSON value against a schema of the subset that the diary's OpenAPI document uses."""

from typing import Any

KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def faults(value: Any, schema: dict[str, Any], schemas: dict[str, Any], where: str = "") -> list[str]:
    """Where `value` is not what `schema` says."""
    if "$ref" in schema:
        return faults(value, schemas[schema["$ref"].rpartition("/")[2]], schemas, where)
    if "anyOf" in schema:
        found = [faults(value, one, schemas, where) for one in schema["anyOf"]]
        return [] if any(not one for one in found) else [f"{where}: none of the alternatives: {found}"]
    kind = schema.get("type")
    if kind == "null":
        return [] if value is None else [f"{where}: not null"]
    if kind is None:
        return []
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{where}: {value!r} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is not one of {schema['enum']}"]
    if kind == "array":
        items = schema.get("items", {})
        return [fault for number, one in enumerate(value) for fault in faults(one, items, schemas, f"{where}/{number}")]
    return _of_object(value, schema, schemas, where) if kind == "object" else []


def _of_object(value: dict[str, Any], schema: dict[str, Any], schemas: dict[str, Any], where: str) -> list[str]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{where}/{name}: missing" for name in schema.get("required", []) if name not in value]
    for name, member in value.items():
        if name in properties:
            found += faults(member, properties[name], schemas, f"{where}/{name}")
        elif more is False:
            found.append(f"{where}/{name}: not described")
        elif isinstance(more, dict):
            found += faults(member, more, schemas, f"{where}/{name}")
    return found
