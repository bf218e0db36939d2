"""Values of another JSON type than the one a field asks for."""

from random import Random
from typing import Any

from tests.faults.poison.broken_json import CANARY

KINDS = ("text", "integer", "number", "flag", "object", "list", "nothing")

_VALUES: dict[str, tuple[Any, ...]] = {
    "text": ("", "1", "true", "null", "{}", CANARY),
    "integer": (0, 1, -1, 2**70),
    "number": (0.5, -1.5, 1e300),
    "flag": (True, False),
    "object": ({}, {"a": 1}, {"a": CANARY}),
    "list": ([], [1], [{}], [CANARY]),
    "nothing": (None,),
}


def kind_of(value: Any) -> str:
    """The JSON type of a value, with integers told from other numbers."""
    match value:
        case bool():
            return "flag"
        case str():
            return "text"
        case int():
            return "integer"
        case float():
            return "number"
        case dict():
            return "object"
        case list():
            return "list"
        case _:
            return "nothing"


def another(chance: Random, kind: str, *besides: str) -> Any:
    """A value that is neither of `kind` nor of `besides`. A number may be an integer."""
    never = {kind, *besides, *(("integer",) if kind == "number" else ())}
    return chance.choice(_VALUES[chance.choice([name for name in KINDS if name not in never])])
