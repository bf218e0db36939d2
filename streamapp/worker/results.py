"""What a handler returned, as the JSON that the diary keeps.

Pydantic models, dataclasses, dates, UUIDs, decimals, enums, sets and bytes become JSON as msgspec and pydantic define
it; NaN and infinities, other objects and deep nesting are refused. A result that is too large is replaced by its size
and digest.
"""

import hashlib
import math
from typing import Any

import msgspec
from pydantic import BaseModel

from streamapp.domain.errors import PermanentFailure
from streamapp.domain.facts import Json
from streamapp.wire import json

ERROR_TYPE = "ResultNotJson"


def to_json(value: Any, max_bytes: int) -> Json:
    """`value` as plain JSON of at most `max_bytes` bytes, or `{"truncated": true, "bytes": n, "sha256": "…"}`.

    Raises:
        PermanentFailure: it is no JSON; trying again would run the work again and help nobody.
    """
    try:
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_convert)
        _demand_finite(plain)
        encoded = json.dump(plain)
        parsed = json.parse(encoded)
    except RecursionError:
        raise PermanentFailure("the result refers to itself or is nested too deep", error_type=ERROR_TYPE) from None
    except Exception as error:  # a conversion runs code of the result's own type, which may raise anything
        raise PermanentFailure(f"the result is not JSON: {error}", error_type=ERROR_TYPE) from error
    if len(encoded) > max_bytes:
        return {"truncated": True, "bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}
    return parsed


def _convert(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, str):
        return str(value)  # a header of an e-mail, a marked-up text: msgspec knows only str itself
    raise TypeError(f"objects of type {type(value).__name__} have no JSON form")


def _demand_finite(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("NaN and infinities are not JSON")
    if isinstance(value, dict):
        for item in value.values():
            _demand_finite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _demand_finite(item)
