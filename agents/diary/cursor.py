"""Cursors: where the next page of a list begins. Opaque to clients, and good for as long as they like."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from agents.diary.place import Place
from agents.diary.problems import Problem

MAX_BYTES = 200


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    list: str
    at: int
    partition: int
    offset: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Cursor).decode


def written(list: str, place: Place | None) -> str | None:
    """The cursor of a list for the entries behind `place`."""
    return None if place is None else urlsafe_b64encode(_encode(_Cursor(list, *place))).decode().rstrip("=")


def read(list: str, cursor: str | None) -> Place | None:
    """The place of a cursor.

    Raises:
        Problem: 400, it is none of this list.
    """
    if cursor is None:
        return None
    try:
        found = _decode(urlsafe_b64decode(cursor[:MAX_BYTES] + "=" * (-len(cursor[:MAX_BYTES]) % 4)))
    except (ValueError, msgspec.MsgspecError):
        found = None
    if found is None or found.list != list:
        raise Problem("invalid-parameter", "cursor has to be one that this list has given")
    return Place(found.at, found.partition, found.offset)
