"""Compares the rows of a table with those that a fold of the topic gives, and names the first difference."""

from base64 import b64encode
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from streamapp.stream.digest import Row
from streamapp.wire import json

ABSENT = "(nothing)"
"""What is written for a member that one of two documents lacks."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of one partition of a table.

    Attributes:
        applied: up to which offset the table says it is folded; the expectation is the fold of all records below.
        reason: what is wrong, in words.
        key: of the row; None if it is not about one row.
        offset: of the last fact that the row should hold, or holds if it should not be there.
        pointer: where inside the row the two differ first (RFC 6901); None for a row that one side lacks.
        expected: the row, or what lies at `pointer`; None for no row.
        found: likewise.
    """

    table: str
    partition: int
    applied: int
    reason: str
    key: str | None = None
    offset: int | None = None
    pointer: str | None = None
    expected: Any = None
    found: Any = None


async def first_difference(
    table: str, partition: int, applied: int, expected: Iterable[Row], found: AsyncIterable[Row]
) -> Difference | None:
    """Compare two series of rows in key order. None if they are equal."""
    wanted = iter(expected)
    want = next(wanted, None)
    async for key, value in found:
        if want is not None and want[0] < key:
            return _missing(table, partition, applied, want)
        if want is None or key < want[0]:
            row = _document(value)
            reason = "this row should not be there"
            return Difference(table, partition, applied, reason, _text(key), _offset(row), None, None, row)
        if value != want[1]:
            return _other(table, partition, applied, want, value)
        want = next(wanted, None)
    return None if want is None else _missing(table, partition, applied, want)


def first_pointer(left: Any, right: Any) -> tuple[str, Any, Any]:
    """Where two JSON values that are not the same differ first, and what each has there."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            one, other = left.get(name, ABSENT), right.get(name, ABSENT)
            if _differ(one, other):
                return _inside(str(name).replace("~", "~0").replace("/", "~1"), one, other)
    if isinstance(left, list) and isinstance(right, list):
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else ABSENT
            other = right[index] if index < len(right) else ABSENT
            if _differ(one, other):
                return _inside(str(index), one, other)
    return "", left, right


def _inside(step: str, one: Any, other: Any) -> tuple[str, Any, Any]:
    pointer, left, right = first_pointer(one, other)
    return f"/{step}{pointer}", left, right


def _differ(one: Any, other: Any) -> bool:
    """Whether they are written differently: 1 and 1.0 and true are equal in Python."""
    return json.dump(one) != json.dump(other)


def _missing(table: str, partition: int, applied: int, want: Row) -> Difference:
    row = _document(want[1])
    return Difference(table, partition, applied, "this row is missing", _text(want[0]), _offset(row), None, row, None)


def _other(table: str, partition: int, applied: int, want: Row, value: bytes) -> Difference:
    row, found = _document(want[1]), _document(value)
    pointer, left, right = first_pointer(row, found)
    return Difference(
        table, partition, applied, "this row is another one", _text(want[0]), _offset(row), pointer, left, right
    )


def _document(value: bytes) -> Any:
    """A row as a JSON value; one that is none as base64."""
    try:
        return msgspec.json.decode(value)  # without the bound on depth: a row holds a payload that may reach it
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {"base64": b64encode(value).decode()}


def _offset(row: Any) -> int | None:
    offset = row.get("offset") if isinstance(row, dict) else None
    return offset if isinstance(offset, int) else None


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
