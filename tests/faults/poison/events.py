"""Records for consume-event: malformed ones, each with what has to become of it, and good ones in odd clothes.

In: a source of chance. Out: records. A refusal is recorded exactly where an eventId is legible.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.faults.poison.entrance import EVENTS, Wrong, wrong_documents

NO_RECORDS = (None, b"", b" ", b"\x00", b"\n")
"""Values with nothing in them."""

KEYS = (None, b"", b"\xff\xfe", b"another id", b"k" * 10_000, b"{}")
"""Keys that a producer may send: they mean nothing."""

LARGE = 900_000


@dataclass(frozen=True, slots=True)
class Event:
    """One record. `pointer` and `task_id` as in `Wrong`."""

    family: str
    key: bytes | None
    value: bytes | None
    pointer: str | None = None
    task_id: str | None = None


def malformed_events(chance: Random, prefix: str, count: int, heavy: int) -> list[Event]:
    """`count` malformed events of all families, `heavy` of each heavy one among them, mixed."""
    ids: Iterator[str] = (f"{prefix}-{number}" for number in itertools.count())
    nothing = count // 40
    made = [_event(chance, wrong) for wrong in wrong_documents(chance, EVENTS, ids, count - nothing - heavy, heavy)]
    made += [Event("nothing at all", chance.choice(KEYS), chance.choice(NO_RECORDS), "") for _ in range(nothing)]
    made += [Event("900 kB of garbage", b"k", b"x" * LARGE, "") for _ in range(heavy)]
    chance.shuffle(made)
    return made


def _event(chance: Random, wrong: Wrong) -> Event:
    """A wrong document as a record; what cannot be read is refused as a whole, which is the pointer ``""``."""
    key = chance.choice([(wrong.task_id or "none").encode(), *KEYS])
    return Event(wrong.family, key, wrong.body, wrong.pointer or "", wrong.task_id)


def good_event(event_id: str) -> bytes:
    """An event that is to be executed."""
    return json.dumps(EVENTS.right(event_id)).encode()
