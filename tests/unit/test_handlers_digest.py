"""The default handler: any payload gets a bounded result."""

import hashlib
import json
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from streamapp.handlers import Context
from streamapp.handlers.digest import MAX_FIELDS, MAX_NAME_BYTES, record_digest
from streamapp.wire import json as wire

NOWHERE = cast("Context", None)

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
payloads = st.dictionaries(st.text(max_size=100), values, max_size=25)


def digest(payload: dict[str, Any]) -> dict[str, Any]:
    coroutine = record_digest(payload, NOWHERE)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("dict[str, Any]", end.value)
    raise AssertionError("the default handler waits for nothing")


@given(payloads)
def test_any_payload_has_a_small_json_result(payload: dict[str, Any]) -> None:
    result = digest(payload)
    assert len(wire.dump(result)) < 65_536  # the default limit of a result
    assert json.loads(wire.dump(result)) == result
    assert len(result["fields"]) + result.get("fieldsLeftOut", 0) == len(payload)
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in result["fields"])


@given(payloads)
def test_the_digest_does_not_depend_on_the_order_of_fields(payload: dict[str, Any]) -> None:
    assert digest(dict(reversed(payload.items()))) == digest(payload)


def test_size_digest_and_fields_are_those_of_canonical_json() -> None:
    canonical = b'{"a":{"x":1,"y":2},"b":"secret"}'
    assert digest({"b": "secret", "a": {"y": 2, "x": 1}}) == {
        "bytes": len(canonical),
        "sha256": hashlib.sha256(canonical).hexdigest(),
        "fields": ["a", "b"],
    }


def test_fields_beyond_the_limit_are_counted_and_long_names_cut() -> None:
    result = digest({f"{number:04}{'ü' * 500}": 1 for number in range(MAX_FIELDS + 7)})
    assert result["fieldsLeftOut"] == 7
    assert len(result["fields"]) == MAX_FIELDS
    assert result["fields"][-1].startswith(f"{MAX_FIELDS - 1:04}ü")
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in result["fields"])
    assert len(wire.dump(result)) < 65_536
