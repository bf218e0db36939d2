"""JSON that is broken as a text: whoever reads it can say nothing about its fields, but where it breaks.

In: a valid document and a place in it. Out: bytes. Every choice comes from the given source of chance.
"""

import copy
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str, ...]
"""Names from the outermost object inwards."""

Breaker: TypeAlias = Callable[[Random, Document, Place], bytes]

CANARY = "a-note-that-no-log-and-no-answer-may-quote"
"""Stands in payloads and in what is refused; whoever says why quotes no value."""

_MARK = "the place where something else goes"
NOT_UTF8 = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80")
NO_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e999", b"01", b"1.", b".5", b"+1", b"0x10", b"1_000")
LONE_SURROGATES = (b"\\ud800", b"\\udfff", b"\\udc00\\ud800", b"\\ud83dx")
NO_OBJECTS = (b"[]", b"null", b'"text"', b"17", b"[{}]", b"true", b"-0.5e3", b'[["type","x"]]')
OTHER_NOTATIONS = (
    b"{'a': 1}",
    b"{a: 1}",
    b'{"a": 1,}',
    b'{"a": 1 /* one */}',
    b"[1,,2]",
    b"undefined",
    b"!!python/none",
)


def text_of(document: Any) -> bytes:
    """A document as compact JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def with_text(document: Document, place: Place, raw: bytes) -> bytes:
    """The document with `raw` where `place` is, whatever `raw` may be. What lies on the way is made an object."""
    changed = copy.deepcopy(document)
    inner = changed
    for name in place[:-1]:
        if not isinstance(inner.get(name), dict):
            inner[name] = {}
        inner = inner[name]
    inner[place[-1]] = _MARK
    return text_of(changed).replace(text_of(_MARK), raw)


def garbage(chance: Random, _document: Document, _place: Place) -> bytes:
    """Any bytes."""
    return chance.randbytes(chance.randint(1, 400))


def no_object(chance: Random, _document: Document, _place: Place) -> bytes:
    """JSON, but something else than an object."""
    return chance.choice(NO_OBJECTS)


def cut_short(chance: Random, document: Document, _place: Place) -> bytes:
    """The beginning of it."""
    whole = text_of(document)
    return whole[: chance.randint(1, len(whole) - 1)]


def more_behind(chance: Random, document: Document, _place: Place) -> bytes:
    """The whole of it, and something more."""
    return text_of(document) + chance.choice((b"}", b"{}", b"x", b"\x00", b",", text_of(document)))


def not_utf8(chance: Random, document: Document, place: Place) -> bytes:
    """A text with bytes that UTF-8 does not know."""
    return with_text(document, place, b'"a' + chance.choice(NOT_UTF8) + b'z"')


def other_encoding(chance: Random, document: Document, _place: Place) -> bytes:
    """UTF-16, UTF-32, or UTF-8 behind a byte order mark."""
    return text_of(document).decode().encode(chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))


def no_number(chance: Random, document: Document, place: Place) -> bytes:
    """NaN, an infinity, or a number too large or not written as JSON writes numbers."""
    return with_text(document, place, chance.choice(NO_NUMBERS))


def long_number(chance: Random, document: Document, place: Place) -> bytes:
    """An integer of thousands of digits."""
    return with_text(document, place, b"9" * chance.randint(5_000, 9_000))


def million_digits(_chance: Random, document: Document, place: Place) -> bytes:
    """An integer of a million digits: converted with care it takes a minute."""
    return with_text(document, place, b"9" * 1_000_000)


def lone_surrogate(chance: Random, document: Document, place: Place) -> bytes:
    """Half a character."""
    return with_text(document, place, b'"' + chance.choice(LONE_SURROGATES) + b'"')


def control_character(chance: Random, document: Document, place: Place) -> bytes:
    """A character in a text that has to be escaped."""
    return with_text(document, place, b'"a' + bytes([chance.randrange(32)]) + b'z"')


def other_notation(chance: Random, document: Document, place: Place) -> bytes:
    """What other languages would take for an object."""
    return with_text(document, place, chance.choice(OTHER_NOTATIONS))


def deep(levels: int) -> Breaker:
    """Something nested as deep as that: lists, objects, or both."""

    def broken(chance: Random, document: Document, place: Place) -> bytes:
        opened, closed = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"":', b"}]")))
        return with_text(document, place, opened * levels + b"1" + closed * levels)

    return broken


def deep_unclosed(chance: Random, _document: Document, _place: Place) -> bytes:
    """Nothing but the beginning of something very deep."""
    return chance.choice((b"[", b'{"a":', b'[{"":')) * 20_000


BROKEN: Mapping[str, Breaker] = {
    "garbage bytes": garbage,
    "no object": no_object,
    "cut short": cut_short,
    "more behind it": more_behind,
    "not UTF-8": not_utf8,
    "another encoding": other_encoding,
    "NaN, infinities, 1e400": no_number,
    "thousands of digits": long_number,
    "lone surrogates": lone_surrogate,
    "control characters": control_character,
    "another notation": other_notation,
    "100 levels deep": deep(100),
}
"""Small ones, by family."""

HEAVY: Mapping[str, Breaker] = {
    "a million digits": million_digits,
    "20,000 levels deep": deep(20_000),
    "20,000 levels deep and not closed": deep_unclosed,
    "100,000 levels deep": deep(100_000),
}
"""Those of which a few are enough."""
