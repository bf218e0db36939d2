"""What an audit is given: the diary, and what was seen outside the system. All times are milliseconds since the epoch.

A part that nobody has written down is None: rules that need it are not judged, which is not the same as being kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from streamapp.domain.errors import ConfigurationError

Rows = Mapping[str, Mapping[bytes, bytes]]
"""View → key → value."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the diary. `at` is the broker's time."""

    partition: int
    offset: int
    at: int
    key: bytes | None
    value: bytes | None


class Answer(msgspec.Struct, frozen=True):
    """What a client was told. `refused`: nothing was handed over; `unknown`: nobody can say; `invalid`: a 4xx.

    `fingerprint` is the SHA-256, in hex, of the canonical JSON of {"type", "payload"} as submitted.
    """

    at: int
    ended: int
    task_id: str | None
    outcome: Literal["accepted", "unknown", "refused", "invalid"]
    status: int | None = None
    fingerprint: str | None = None


class Effect(msgspec.Struct, frozen=True):
    """A line of the effects ledger: a handler was entered (`begin`), or has made its effect (`end`)."""

    at: int
    task_id: str
    attempt: int
    worker: str
    phase: Literal["begin", "end"]


class Published(msgspec.Struct, frozen=True):
    """A job that the shadow queue has received. `at` may be early by up to a second: AMQP counts in seconds."""

    at: int
    message_id: str
    task_id: str
    attempt: int
    type: str = ""


class Wired(msgspec.Struct, frozen=True):
    """What passed between streamapp and RabbitMQ, as a wiretap at streamapp's end of the line saw it.

    The broker confirms a publish, refuses it (basic.nack) or returns it (then a confirm follows, which says nothing);
    the worker acks a delivery or rejects it. `unparsed`: something passed that the tap does not understand: `detail`.
    """

    at: int
    event: Literal["publish", "confirm", "refuse", "return", "deliver", "ack", "reject", "unparsed"]
    connection: int
    message_id: str | None = None
    redelivered: bool | None = None
    detail: str = ""


class Incident(msgspec.Struct, frozen=True):
    """A fault that was injected, from `at` until `until`."""

    at: int
    until: int
    name: str
    target: str
    detail: str = ""


class Poll(msgspec.Struct, frozen=True):
    """What a client saw when it asked for a task."""

    at: int
    task_id: str
    state: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything there is.

    Attributes:
        log: the whole diary, in order of offsets within each partition.
        events: ids of events that producers know to be in the topic of events.
        views: rows of the views as they are; `expected`: the same rows as a fold of the topic gives them.
        bad: places (partition, offset) of records that were put into the diary to be refused.
        canaries: texts that must occur nowhere; `texts`: where they are looked for, by name.
        drained: whether everything has had the time to end: an open task is a finding then.
    """

    log: Sequence[Line]
    answers: Sequence[Answer] | None = None
    events: frozenset[str] | None = None
    effects: Sequence[Effect] | None = None
    published: Sequence[Published] | None = None
    wire: Sequence[Wired] | None = None
    incidents: Sequence[Incident] = ()
    polls: Sequence[Poll] | None = None
    views: Rows | None = None
    expected: Rows | None = None
    bad: frozenset[tuple[int, int]] | None = None
    canaries: tuple[str, ...] | None = None
    texts: Mapping[str, bytes] | None = None
    drained: bool = False


FILES: Mapping[str, tuple[str, Any]] = {
    "answers": ("answers.jsonl", Answer),
    "effects": ("effects.jsonl", Effect),
    "published": ("shadow.jsonl", Published),
    "wire": ("wire.jsonl", Wired),
    "incidents": ("incidents.jsonl", Incident),
    "polls": ("polls.jsonl", Poll),
}
"""Part → its file in an evidence folder, one JSON object a line."""

T = TypeVar("T")


def read_folder(folder: Path, log: Sequence[Line], **more: Any) -> Evidence:
    """The evidence of a folder. Files that are not there are parts that nobody has written down.

    Raises:
        ConfigurationError: a line that does not say what it should; names file and line.
    """
    parts: dict[str, Any] = {}
    for part, (name, kind) in FILES.items():
        path = folder / name
        if path.exists():
            parts[part] = _read(path, kind)
    return Evidence(log, **{**parts, **more})


def _read(path: Path, kind: type[T]) -> list[T]:
    decode: Callable[[bytes], T] = msgspec.json.Decoder(kind).decode
    return list(_lines(path, decode))


def _lines(path: Path, decode: Callable[[bytes], T]) -> Iterable[T]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            yield decode(line)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ConfigurationError(f"{path.name}, line {number}: {error}") from error
