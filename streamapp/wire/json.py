"""JSON as streamapp reads and writes it: strict RFC 8259, UTF-8, no NaN, no name twice in one object, bounded depth."""

import json
from typing import Any

import msgspec

MAX_DEPTH = 64
"""Deepest nesting accepted in a payload: far below what the decoders bear, so that no view can fail to encode it."""

_encoder = msgspec.json.Encoder()
_sorting = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder()


class Malformed(ValueError):
    """Not JSON, or JSON that streamapp refuses. The message says why and never quotes the input."""


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise Malformed("an object has a name twice")
    return found


# msgspec keeps the last one of two members with the same name, and tells nobody. Numbers are not converted once more:
# `len` takes less, and is right where Python has a limit for the digits of an int.
_names = json.JSONDecoder(object_pairs_hook=_once, parse_int=len, parse_float=len)


def parse(data: bytes) -> Any:
    """Parse one JSON value.

    Raises:
        Malformed: not JSON in UTF-8, a number out of range (NaN and infinities are not JSON), nested too deep, or an
            object with a name twice: two readers of it would not agree on what it says.
    """
    try:
        value = _decoder.decode(data)
    except RecursionError:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
    except msgspec.MsgspecError as error:
        raise Malformed(str(error)) from None
    except UnicodeError:
        raise Malformed("not UTF-8") from None
    if too_deep(data, value):
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
    if data.count(b":") > 1:
        _names.decode(data.decode())
    return value


def too_deep(data: bytes, value: Any) -> bool:
    """Whether `value`, decoded from `data`, nests deeper than MAX_DEPTH. Brackets are counted first: that is cheap."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def dump(value: Any) -> bytes:
    """Encode compactly, in the order given."""
    return _encoder.encode(value)


def canonical(value: Any) -> bytes:
    """Encode with sorted keys: equal values give equal bytes."""
    return _sorting.encode(value)


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []
