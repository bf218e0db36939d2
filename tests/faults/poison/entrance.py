"""What comes in through one of the two entrances, events and submissions, and every way in which it can be wrong.

In: the id that it should have. Out: a document that is wrong in one known place, what has to be said about it, and the
id under which its refusal has to be recorded, if one is legible. Knows the rules from the reference, not from the code.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TypeAlias

from tests.faults.load.types import OK
from tests.faults.poison import broken_json
from tests.faults.poison.broken_json import CANARY, Document, text_of
from tests.faults.poison.other_types import another

MAX_PAYLOAD_BYTES = 262_144
"""STREAMAPP_TASKS__MAX_PAYLOAD_BYTES, as it is unless somebody sets it."""

NOT_PRINTABLE = (
    CANARY + "\n",
    CANARY + "\x00",
    "a\nb",
    "a\x00b",
    "\x1b[31mred",
    "a\u2028b",
    "a\u200bb",
    "\ufeffa",
    "a\x7f",
    "\u202eabc",
)
NOT_AN_ID = ("", "i" * 201, "é" * 101, "💥" * 51, "i" * 10_000, " a", "a ", "\u3000a", *NOT_PRINTABLE)
UNKNOWN_NAMES = ("extra", "a/b", "a~b", "", "__proto__", "éü", "Payload", "task_id", "n" * 300, "$where", "<script>")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong document.

    Attributes:
        pointer: the field that has to be named; None if the text cannot be read as JSON.
        task_id: the id under which the refusal is to be recorded; None if none is legible.
        status: what the api has to say.
    """

    family: str
    body: bytes
    pointer: str | None
    task_id: str | None
    status: int = 422


@dataclass(frozen=True, slots=True)
class Entrance:
    """One entrance: the name of its id, and its fields with their kinds; `optional` ones may be absent or null.

    `largest` is a payload that is far too large and still gets as far as the entrance.
    """

    id_field: str
    kinds: Mapping[str, str]
    largest: int
    optional: frozenset[str] = frozenset()

    def right(self, task_id: str, note: str = CANARY) -> Document:
        """A document that is right."""
        values: Document = {"timestamp": 1_737_200_000_000, "type": OK.name, "payload": {"note": note}}
        return {self.id_field: task_id, **{name: values[name] for name in self.kinds if name != self.id_field}}

    @property
    def required(self) -> list[str]:
        """Names of the fields that have to be there."""
        return [name for name in self.kinds if name not in self.optional]


EVENTS = Entrance("eventId", {"eventId": "text", "timestamp": "integer", "type": "text", "payload": "object"}, 900_000)
SUBMISSIONS = Entrance(
    "taskId", {"type": "text", "payload": "object", "taskId": "text"}, 2 * 1024 * 1024, frozenset({"taskId"})
)

Family: TypeAlias = Callable[[Random, Entrance, str], Wrong]
Maker: TypeAlias = Callable[[Random, str], Wrong]
"""Makes a wrong document that should have the given id."""


def _made(family: str, entrance: Entrance, document: Document, field: str, task_id: str, status: int = 422) -> Wrong:
    legible = document.get(entrance.id_field) == task_id
    return Wrong(family, text_of(document), _pointer(field), task_id if legible else None, status)


def _pointer(*names: str) -> str:
    """RFC 6901; long names are cut."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1")[:200] for name in names)


def field_missing(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A field less."""
    document, field = entrance.right(task_id), chance.choice(entrance.required)
    del document[field]
    return _made("a field missing", entrance, document, field, task_id)


def nothing_inside(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """`{}`, or nothing but the id."""
    document = chance.choice([{}, {entrance.id_field: task_id}])
    return _made("an empty object", entrance, document, "type", task_id)


def field_too_many(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A field that nobody knows."""
    field = chance.choice(UNKNOWN_NAMES)
    document = {**entrance.right(task_id), field: chance.choice([None, 1, "x", {}, [[]]])}
    return _made("a field too many", entrance, document, field, task_id)


def wrong_type(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A field of another type; nothing is converted."""
    document, field = entrance.right(task_id), chance.choice(list(entrance.kinds))
    besides = ("nothing",) if field in entrance.optional else ()
    document[field] = another(chance, entrance.kinds[field], *besides)
    return _made("a field of another type", entrance, document, field, task_id)


def bad_id(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """An id that is empty, too long, or cannot be printed."""
    document = {**entrance.right(task_id), entrance.id_field: chance.choice(NOT_AN_ID)}
    return _made("an id of a wrong form", entrance, document, entrance.id_field, task_id)


def bad_type(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A type that is empty, too long, or cannot be printed."""
    document = {**entrance.right(task_id), "type": chance.choice(NOT_AN_ID)}
    return _made("a type of a wrong form", entrance, document, "type", task_id)


def payload_against_its_type(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A payload that the model of its type refuses."""
    document = entrance.right(task_id)
    document["payload"] = chance.choice([{}, {"Note": "x"}, {"note": another(chance, "text")}])
    made = _made("a payload against its type", entrance, document, "payload", task_id)
    return Wrong(made.family, made.body, "/payload/note", made.task_id)


def name_twice(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """An object with the same name twice: two readers would not agree on what it says."""
    text = text_of(entrance.right(task_id))
    field = chance.choice(list(entrance.kinds))
    inside = chance.random() < 0.3
    twice = (
        b'"note":"b"}}' if inside else b'"' + field.encode() + b'":' + text_of(entrance.right(task_id)[field]) + b"}"
    )
    return Wrong("a name twice", text[: -2 if inside else -1] + b"," + twice, None, None, 400)


def payload_one_too_large(_chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A payload one byte larger than it may be."""
    document = {**entrance.right(task_id), "payload": payload_of(MAX_PAYLOAD_BYTES + 1)}
    return _made("a payload one byte too large", entrance, document, "payload", task_id, 413)


def payload_far_too_large(_chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A payload much larger than it may be."""
    document = {**entrance.right(task_id), "payload": payload_of(entrance.largest)}
    return _made("a payload far too large", entrance, document, "payload", task_id, 413)


def payload_of(size: int) -> dict[str, str]:
    """A payload of exactly so many bytes of JSON."""
    return {"note": "x" * (size - len(text_of({"note": ""})))}


def bad_number(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A time before the epoch, or one that is no whole number."""
    document = {**entrance.right(task_id), "timestamp": chance.choice([-1, -(2**70), 1.0, True, "1737200000000"])}
    return _made("a time that is none", entrance, document, "timestamp", task_id)


def unknown_type(chance: Random, entrance: Entrance, task_id: str) -> Wrong:
    """A type that no registry knows."""
    name = chance.choice([CANARY, "FAULT_NONE", "fault_ok", "os.system", "FAULT_OK;", "__import__('os')", "ﬀ"])
    return _made("a type that nobody registered", entrance, {**entrance.right(task_id), "type": name}, "type", task_id)


WRONG: tuple[Family, ...] = (
    field_missing,
    nothing_inside,
    field_too_many,
    wrong_type,
    bad_id,
    bad_type,
    payload_against_its_type,
    name_twice,
)
OF_ONE: Mapping[str, tuple[Family, ...]] = {"eventId": (bad_number,), "taskId": (unknown_type,)}
"""Families that one entrance has and the other one has not, by the name of its id."""

LARGE: tuple[Family, ...] = (payload_one_too_large, payload_far_too_large)


def broken(chance: Random, entrance: Entrance, task_id: str, family: str) -> Wrong:
    """A document that is broken as a text. Nobody can tell its id."""
    breaker = {**broken_json.BROKEN, **broken_json.HEAVY}[family]
    body = breaker(chance, copy.deepcopy(entrance.right(task_id)), ("payload", "note"))
    return Wrong(family, body, "" if family == "no object" else None, None, 422 if family == "no object" else 400)


def families(entrance: Entrance) -> list[Maker]:
    """Every small family of an entrance."""
    documents = [partial(_wrong, family, entrance) for family in (*WRONG, *OF_ONE[entrance.id_field])]
    return [*documents, *(partial(_broken, name, entrance) for name in broken_json.BROKEN)]


def heavy_families(entrance: Entrance) -> list[Maker]:
    """Those of which a few are enough."""
    documents = [partial(_wrong, family, entrance) for family in LARGE]
    return [*documents, *(partial(_broken, name, entrance) for name in broken_json.HEAVY)]


def _wrong(family: Family, entrance: Entrance, chance: Random, task_id: str) -> Wrong:
    return family(chance, entrance, task_id)


def _broken(family: str, entrance: Entrance, chance: Random, task_id: str) -> Wrong:
    return broken(chance, entrance, task_id, family)


def wrong_documents(chance: Random, entrance: Entrance, ids: Iterator[str], count: int, heavy: int) -> list[Wrong]:
    """`count` wrong documents of all small families in turn, and `heavy` of each heavy one among them; mixed."""
    small = families(entrance)
    made = [make(chance, next(ids)) for make in heavy_families(entrance) for _ in range(heavy)]
    made += [small[number % len(small)](chance, next(ids)) for number in range(count - len(made))]
    chance.shuffle(made)
    return made
