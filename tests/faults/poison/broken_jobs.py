"""Messages for the work queue that are no jobs: each belongs in the dead-letter queue, and nowhere else.

In: a source of chance. Out: bodies, some of them with properties that no client library would write.
"""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streamapp.wire import facts, jobs
from streamapp.wire.jobs import Job
from tests.faults.load.types import OK
from tests.faults.poison import broken_json
from tests.faults.poison.bad_records import every_fact
from tests.faults.poison.broken_json import CANARY, Document, text_of
from tests.faults.poison.other_types import another, kind_of
from tests.faults.poison.strange_properties import ODD, UNREADABLE

HUGE = 16 * 1024 * 1024
BOUNDS: Mapping[str, tuple[Any, ...]] = {
    "taskId": ("", "i" * 201, "é" * 101),
    "type": ("", "t" * 201, "é" * 101),
    "attempt": (0, -1, 1_000_001, 1.5, 2**70),
    "timeoutSeconds": (0, -1, 1e10),
}
STRANGE: Mapping[str, dict[str, bytes]] = {**UNREADABLE, **ODD}


@dataclass(frozen=True, slots=True)
class Message:
    """A body, and the encoded properties it is published with."""

    family: str
    body: bytes
    properties: Mapping[str, bytes] = field(default_factory=dict)


def document_of(task_id: str, attempt: int = 1) -> Document:
    """A job as a document."""
    document: Document = json.loads(jobs.encode(Job(task_id, attempt, OK.name, {"note": CANARY}, 20.0)))
    return document


def field_missing(chance: Random, document: Document) -> bytes:
    """A field less."""
    del document[chance.choice(list(document))]
    return text_of(document)


def wrong_type(chance: Random, document: Document) -> bytes:
    """A field of another type."""
    name = chance.choice([name for name in document if name != "parameters"])
    document[name] = another(chance, kind_of(document[name]))
    return text_of(document)


def out_of_bounds(chance: Random, document: Document) -> bytes:
    """A value outside of its bounds."""
    name = chance.choice(list(BOUNDS))
    document[name] = chance.choice(BOUNDS[name])
    return text_of(document)


def empty_object(chance: Random, _document: Document) -> bytes:
    """Nothing inside."""
    return chance.choice((b"{}", b"", b" ", b"\x00"))


def a_fact(chance: Random, document: Document) -> bytes:
    """Something of ours that is no job."""
    return facts.encode(chance.choice(every_fact(document["taskId"])))[1]


def compressed(_chance: Random, document: Document) -> bytes:
    """A job that somebody has compressed."""
    return gzip.compress(text_of(document))


WRONG: tuple[Callable[[Random, Document], bytes], ...] = (
    field_missing,
    wrong_type,
    out_of_bounds,
    empty_object,
    a_fact,
    compressed,
)


def broken_messages(chance: Random, prefix: str, count: int, heavy: int) -> list[Message]:
    """`count` messages of all families, `heavy` of each heavy one among them; every fifth with strange properties."""
    made = [Message("16 MiB of garbage", b"x" * HUGE) for _ in range(heavy)]
    made += [Message("16 MiB of JSON", text_of(["x" * 1000] * (HUGE // 1003))) for _ in range(heavy)]
    made += [_broken(chance, f"{prefix}-heavy", family) for family in broken_json.HEAVY for _ in range(heavy)]
    families = [*(wrong.__name__ for wrong in WRONG), *broken_json.BROKEN]
    for number in range(count - len(made)):
        message = _message(chance, f"{prefix}-{number}", families[number % len(families)])
        strange = chance.choice(list(STRANGE.values())) if number % 5 == 0 else {}
        made.append(Message(message.family, message.body, strange))
    chance.shuffle(made)
    return made


def _message(chance: Random, task_id: str, family: str) -> Message:
    for wrong in WRONG:
        if wrong.__name__ == family:
            return Message(family.replace("_", " "), wrong(chance, document_of(task_id)))
    return _broken(chance, task_id, family)


def _broken(chance: Random, task_id: str, family: str) -> Message:
    breaker = {**broken_json.BROKEN, **broken_json.HEAVY}[family]
    return Message(family, breaker(chance, document_of(task_id), ("parameters", "note")))
