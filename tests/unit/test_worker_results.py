"""What a handler returned, as JSON."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from streamapp.domain.errors import PermanentFailure
from streamapp.wire import json
from streamapp.worker.results import to_json

LIMIT = 1000


@dataclass
class Point:
    x: int
    at: datetime


class Model(BaseModel):
    amount: Decimal = Field(alias="theAmount")


class Colour(Enum):
    RED = "red"


class Nasty(BaseModel):
    def model_dump(self, **_: Any) -> dict[str, Any]:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (Point(1, datetime(2026, 1, 2, tzinfo=UTC)), {"x": 1, "at": "2026-01-02T00:00:00Z"}),
        ([Model(theAmount=Decimal("1.50"))], [{"theAmount": "1.50"}]),
        ((1, 2.5, "ä", True), [1, 2.5, "ä", True]),
        ({1: Colour.RED, "b": b"x"}, {"1": "red", "b": "eA=="}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (2**70, 2**70),
    ],
)
def test_well_known_kinds(value: Any, expected: Any) -> None:
    assert to_json(value, LIMIT) == expected


def endless() -> list[Any]:
    inside: list[Any] = []
    inside.append(inside)
    return inside


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def counting() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        {"a": [float("inf")]},
        object(),
        counting(),
        "\ud800",
        {(1, 2): 3},
        endless(),
        nested(json.MAX_DEPTH + 1),
        nested(5000),
        Nasty(),
        10**5000,
    ],
    ids=["nan", "inf", "object", "generator", "surrogate", "key", "endless", "deep", "abyss", "nasty", "huge"],
)
def test_what_is_no_json_is_a_permanent_failure(value: Any) -> None:
    with pytest.raises(PermanentFailure) as caught:
        to_json(value, LIMIT)
    assert caught.value.error_type == "ResultNotJson"


def test_deepest_result_passes() -> None:
    value = nested(json.MAX_DEPTH)
    assert to_json(value, LIMIT) == value


def test_large_result_is_replaced_by_size_and_digest() -> None:
    fits, large = "x" * (LIMIT - 2), "x" * (LIMIT - 1)
    assert to_json(fits, LIMIT) == fits
    digest = hashlib.sha256(json.dump(large)).hexdigest()
    assert to_json(large, LIMIT) == {"truncated": True, "bytes": LIMIT + 1, "sha256": digest}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_json_stays_what_it_is(value: Any) -> None:
    assert to_json(value, 10**6) == value
