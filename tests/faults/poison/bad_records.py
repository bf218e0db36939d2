"""Records for task-lifecycle that are no facts: each has to be named as unreadable, with its place and a reason.

In: task ids, which may be those of real tasks: what nobody can read changes nothing. Out: keys and values by family.
"""

import copy
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import AnyFact, FieldError, Origin, Token
from streamapp.domain.outcome import Completed, Failed
from streamapp.wire import facts
from streamapp.wire.scribe import Scribe
from tests.faults.load.types import FAST
from tests.faults.poison import broken_json
from tests.faults.poison.broken_json import CANARY, Document, Place
from tests.faults.poison.other_types import another, kind_of

Record: TypeAlias = tuple[bytes | None, bytes | None]
LARGE = 900_000
SCRIBE = Scribe("stranger", "poison", lambda: "2026-11-24T00:00:00.000Z")
OPTIONAL = {
    ("data", "counted"),
    ("data", "origin", "topic"),
    ("data", "origin", "partition"),
    ("data", "origin", "offset"),
}
NAMES = {"source", "workerId", "queue"}
TEXTS = {"reason", "message", "errorType"}
BOUNDS: Mapping[str, tuple[Any, ...]] = {
    "attempt": (0, -1, 1_000_001, 2**70, 1.5),
    "maxAttempts": (0, -3, 1_000_001),
    "delaySeconds": (-0.5, 1e10),
    "multiplier": (0.5, 1e10),
    "timeoutSeconds": (0, -1, 1e10),
    "jitter": (-0.1, 1.5),
    "epoch": (-1, 2**53 + 1),
    "claim": (-1, 2**64),
    "durationMs": (-1, 2**53 + 1),
    "notBefore": (-1, 2**64),
    "failures": (-1, 2**53 + 1),
    "taskType": ("", "t" * 201, "é" * 101),
    "id": ("", "i" * 201),
    "kind": ("ftp", "", "HTTP"),
    "time": ("t" * 65,),
}
"""What lies outside of the bounds of a field, by its name."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A record. `names` is a text that its reason must contain, if the family knows one."""

    family: str
    key: bytes | None
    value: bytes | None
    names: str = ""


def every_fact(task_id: str) -> list[AnyFact]:
    """One fact of each type."""
    token, origin = Token(1, 1), Origin("event", "consume-event", 3, 42)
    return [
        SCRIBE.accepted(task_id, "FAULT_OK", {"note": CANARY}, FAST, origin),
        SCRIBE.rejected(task_id, "invalid", [FieldError("/payload", "no")], origin, b""),
        SCRIBE.dispatched(task_id, 1, "task-execution"),
        SCRIBE.started(task_id, 1, "w", token, redelivered=False),
        SCRIBE.ended(task_id, 1, "w", token, Completed({"note": CANARY}), 5),
        SCRIBE.ended(task_id, 1, "w", token, Failed("Boom", "no luck", retryable=True), 5),
        SCRIBE.retry_scheduled(task_id, ScheduleRetry(2, 0, "Boom", 1), FAST),
        SCRIBE.failed_permanently(task_id, GiveUp(1, "Boom")),
    ]


def _any(chance: Random, task_id: str) -> tuple[bytes, Document]:
    key, value = facts.encode(chance.choice(every_fact(task_id)))
    return key, json.loads(value)


def _places(document: Document, above: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every field that is checked, with its value. Payloads and results may hold anything."""
    for name, value in document.items():
        place = (*above, name)
        yield place, value
        if isinstance(value, dict) and name not in ("payload", "result"):
            yield from _places(value, place)


def _changed(document: Document, place: Place, *values: Any) -> bytes:
    """The document with another value at `place`, or without the field."""
    changed = copy.deepcopy(document)
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    del inner[place[-1]]
    for value in values:
        inner[place[-1]] = value
    return broken_json.text_of(changed)


def missing_field(chance: Random, task_id: str) -> Bad:
    """A field less."""
    key, document = _any(chance, task_id)
    place = chance.choice([place for place, _ in _places(document) if place not in OPTIONAL])
    return Bad("a field missing", key, _changed(document, place), f"`{place[-1]}`")


def wrong_type(chance: Random, task_id: str) -> Bad:
    """A field of another type."""
    key, document = _any(chance, task_id)
    fields = [row for row in _places(document) if row[0][-1] not in ("payload", "result")]
    place, value = chance.choice(fields)
    besides = ("nothing",) if place in OPTIONAL else ()
    # The data is read when it is known whose it is; anything is JSON, so a wrong subject is first a wrong key.
    return Bad("a field of another type", key, _changed(document, place, another(chance, kind_of(value), *besides)))


def out_of_bounds(chance: Random, task_id: str) -> Bad:
    """A number or a text outside of its bounds."""
    key, document = _any(chance, task_id)
    bounded = [row for row in _places(document) if row[0][-1] in BOUNDS.keys() | NAMES | TEXTS]
    place, _ = chance.choice(bounded)
    name = place[-1]
    values = BOUNDS.get(name) or (("n" * 513,) if name in NAMES else ("x" * 100_001,))
    return Bad("a value out of bounds", key, _changed(document, place, chance.choice(values)))


def unknown_type(chance: Random, task_id: str) -> Bad:
    """A fact that nobody knows."""
    key, document = _any(chance, task_id)
    name = chance.choice(["TaskPostponed", "", "taskaccepted", "os.system", "TaskAccepted ", "Task" * 100_000])
    return Bad("an unknown fact type", key, _changed(document, ("type",), name), "unknown fact type")


def unknown_version(chance: Random, task_id: str) -> Bad:
    """Another CloudEvents."""
    key, document = _any(chance, task_id)
    version = chance.choice(["0.3", "1.1", "2.0", "", "1.0.0", " 1.0"])
    return Bad("an unknown version", key, _changed(document, ("specversion",), version), "not CloudEvents 1.0")


def wrong_key(chance: Random, task_id: str) -> Bad:
    """The fact of one task under the key of another one."""
    key, document = _any(chance, task_id)
    other = chance.choice([b"", b"\xff\xfe", key + b" ", key[:-1], key.upper() + b"!", b"k" * 10_000])
    return Bad("a wrong key", other, broken_json.text_of(document), "the key is not the subject")


def null_key(chance: Random, task_id: str) -> Bad:
    """No key."""
    _, document = _any(chance, task_id)
    return Bad("a null key", None, broken_json.text_of(document), "the key is not the subject")


def null_value(_chance: Random, task_id: str) -> Bad:
    """A tombstone."""
    return Bad("a null value", task_id.encode(), None, "no value")


def empty_object(chance: Random, task_id: str) -> Bad:
    """Nothing inside: as the record, or as its data."""
    key, document = _any(chance, task_id)
    value = chance.choice([b"{}", _changed(document, ("data",), {}), b" {\t} "])
    return Bad("an empty object", key, value, "missing required field")


def other_subject(chance: Random, task_id: str) -> Bad:
    """Envelope and data tell of different tasks."""
    key, document = _any(chance, task_id)
    return Bad(
        "two subjects", key, _changed(document, ("data", "taskId"), task_id + "'"), "data.taskId is not the subject"
    )


def long_id(chance: Random, _task_id: str) -> Bad:
    """An id longer than any may be, in bytes or in characters."""
    key, document = _any(chance, chance.choice(["i" * 201, "é" * 101, "i" * 10_000]))
    return Bad("an id too long", key, broken_json.text_of(document))


def _broken(family: str, task_id: str, chance: Random) -> Bad:
    """A fact that is broken as a text. Half of them break in the payload, which is read last."""
    key, value = facts.encode(every_fact(task_id)[0])
    place = chance.choice(
        [("data", "payload", "note"), ("data", "payload", "note"), ("id",), ("data", "policy", "jitter")]
    )
    if family == "100 levels deep" or family in broken_json.HEAVY:
        place = ("data", "payload", "note")
    breaker = {**broken_json.BROKEN, **broken_json.HEAVY}[family]
    return Bad(family, key, breaker(chance, json.loads(value), place))


def large_garbage(_chance: Random, task_id: str) -> Bad:
    """As large as the topic takes."""
    return Bad("900 kB of garbage", task_id.encode(), b"x" * LARGE)


SMALL: tuple[Callable[[Random, str], Bad], ...] = (
    missing_field,
    wrong_type,
    out_of_bounds,
    unknown_type,
    unknown_version,
    wrong_key,
    null_key,
    null_value,
    empty_object,
    other_subject,
    long_id,
)


def bad_records(chance: Random, task_ids: list[str], each: int, heavy: int) -> list[Bad]:
    """`each` of every small family and `heavy` of every heavy one, mixed, about tasks of `task_ids`."""
    made = [family(chance, chance.choice(task_ids)) for family in SMALL for _ in range(each)]
    for family, count in itertools.chain(
        ((family, each) for family in broken_json.BROKEN), ((family, heavy) for family in broken_json.HEAVY)
    ):
        made += [_broken(family, chance.choice(task_ids), chance) for _ in range(count)]
    made += [large_garbage(chance, chance.choice(task_ids)) for _ in range(heavy)]
    chance.shuffle(made)
    return made
