"""Requests that the api has to refuse: wrong documents alone and in batches, and wrong headers.

In: the api's limits. Out: requests, with what has to be answered.
"""

import gzip
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from streamapp.domain.identity import task_id_of_key
from tests.faults.poison.broken_json import NO_OBJECTS, text_of
from tests.faults.poison.entrance import SUBMISSIONS, Wrong, wrong_documents

ONE, BATCH, REQUEUES = "/v1/tasks", "/v1/tasks:batch", "/v1/requeues"
JSON = {"Content-Type": "application/json"}
MAX_BATCH = 20
"""STREAMAPP_API__MAX_BATCH of the arena these requests are for."""

BAD_KEYS = ("", "a b", "k" * 129, "k" * 4_000, "é", "a/b", "a;b", "a,b", "\u2603", "{}", "a\tb", "${jndi:ldap://x}")
MEDIA_TYPES = (
    *("text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", "*/*", "json"),
    *("application/json; charset=latin-1", "application/json; charset=utf-16", "application/cloudevents+json"),
    *("application/x-python-serialize", "application/yaml", "", "application/json2", "application/json, text/plain"),
)
ENCODINGS = ("gzip", "deflate", "br", "zstd", "compress", "GZIP", "gzip, gzip", "none", "identity, gzip")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and its answer to be.

    Attributes:
        status: what has to be answered.
        pointer: field that has to be named; `word`: a text that has to be in the detail.
        recorded: the id under which a TaskRejected has to be in the diary; None if it must say that none is.
        items: for a batch, the pointers that its items have to name, None for one that is accepted.
    """

    family: str
    path: str
    body: bytes
    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    pointer: str | None = None
    word: str = ""
    recorded: str | None = None
    items: tuple[str | None, ...] = ()
    method: str = "POST"


def of_document(wrong: Wrong) -> Asked:
    """One submission under an id of its own."""
    return Asked(wrong.family, ONE, wrong.body, wrong.status, JSON, wrong.pointer, "", wrong.task_id)


def of_keyed_document(wrong: Wrong, key: str) -> Asked:
    """One submission under a key: its refusal is recorded under the key's id, if it can be read as JSON at all."""
    body = wrong.body
    if wrong.task_id is not None:
        document = json.loads(body)
        del document[SUBMISSIONS.id_field]
        body = text_of(document)
    recorded = None if wrong.pointer is None else task_id_of_key(key)
    return Asked(wrong.family, ONE, body, wrong.status, {**JSON, "Idempotency-Key": key}, wrong.pointer, "", recorded)


def broken_batch(wrong: Wrong) -> Asked:
    """A batch that is broken as a text, or no object."""
    return Asked(f"a batch, {wrong.family}", BATCH, wrong.body, wrong.status, JSON, wrong.pointer)


def batch_of(wrongs: list[Wrong]) -> Asked:
    """A batch in which every task is wrong."""
    body = b'{"tasks":[' + b",".join(wrong.body for wrong in wrongs) + b"]}"
    return Asked("a batch of wrong tasks", BATCH, body, 422, JSON, items=tuple(wrong.pointer for wrong in wrongs))


def batch_around(wrongs: list[Wrong], good: str) -> Asked:
    """A batch with one good task in the middle."""
    pieces = [wrong.body for wrong in wrongs]
    pointers: list[str | None] = [wrong.pointer for wrong in wrongs]
    middle = len(pieces) // 2
    pieces.insert(middle, text_of(SUBMISSIONS.right(good)))
    pointers.insert(middle, None)
    body = b'{"tasks":[' + b",".join(pieces) + b"]}"
    return Asked("a batch around a good task", BATCH, body, 207, JSON, items=tuple(pointers))


def wrong_envelope(chance: Random, task_id: str) -> Asked:
    """A batch whose envelope is wrong."""
    good = SUBMISSIONS.right(task_id)
    document, pointer = chance.choice(
        [
            ({}, "/tasks"),
            ({"tasks": []}, "/tasks"),
            ({"tasks": {}}, "/tasks"),
            ({"tasks": None}, "/tasks"),
            ({"tasks": [good] * (MAX_BATCH + 1)}, "/tasks"),
            ({"tasks": [good], "more": 1}, "/more"),
            ({"Tasks": [good]}, "/Tasks"),
            ([good], ""),
        ]
    )
    return Asked("a wrong envelope", BATCH, text_of(document), 422, JSON, pointer)


def wrong_items(chance: Random, _task_id: str) -> Asked:
    """A batch of things that are no tasks."""
    things = [json.loads(chance.choice(NO_OBJECTS)) for _ in range(chance.randint(1, MAX_BATCH))]
    return Asked("a batch of no tasks", BATCH, text_of({"tasks": things}), 422, JSON, items=("",) * len(things))


def bad_key(chance: Random, task_id: str) -> Asked:
    """A key that is none."""
    headers = {**JSON, "Idempotency-Key": chance.choice(BAD_KEYS)}
    path, body = _good(chance, task_id)
    return Asked("a bad Idempotency-Key", path, body, 400, headers, word="Idempotency-Key")


def key_and_id(_chance: Random, task_id: str) -> Asked:
    """A key and an id that do not belong together."""
    headers = {**JSON, "Idempotency-Key": f"key-of-{task_id}"}
    recorded = task_id_of_key(f"key-of-{task_id}")
    return Asked(
        "a key and another id", ONE, text_of(SUBMISSIONS.right(task_id)), 422, headers, "/taskId", "", recorded
    )


def media_type(chance: Random, task_id: str) -> Asked:
    """Another media type."""
    path, body = _good(chance, task_id)
    return Asked(
        "another media type", path, body, 415, {"Content-Type": chance.choice(MEDIA_TYPES)}, word="Content-Type"
    )


def compressed(chance: Random, task_id: str) -> Asked:
    """A body that is compressed, or says so."""
    path, body = _good(chance, task_id)
    headers = {**JSON, "Content-Encoding": chance.choice(ENCODINGS)}
    return Asked("a compressed body", path, gzip.compress(body, 1), 415, headers, word="Content-Encoding")


BOMB = gzip.compress(b"[" * 64 * 1024 * 1024, 9)


def gzip_bomb(chance: Random, _task_id: str) -> Asked:
    """64 KiB that would be 64 MiB."""
    headers = {**JSON, "Content-Encoding": "gzip"}
    return Asked("a gzip bomb", chance.choice((ONE, BATCH)), BOMB, 415, headers, word="Content-Encoding")


def wrong_method(chance: Random, task_id: str) -> Asked:
    """A method that is not for this path."""
    path, body = _good(chance, task_id)
    method = chance.choice(("PUT", "PATCH", "DELETE", "GET", "OPTIONS", "TRACE", "LINK"))
    return Asked("a wrong method", path, b"" if method == "TRACE" else body, 405, JSON, word="POST", method=method)


def wrong_path(chance: Random, task_id: str) -> Asked:
    """A path that is not there."""
    path = chance.choice(
        ("/v1/task", "/v2/tasks", "/v1/tasks/", "/v1/tasks:Batch", "/v1/../etc/passwd", "/%00", "//v1/tasks")
    )
    return Asked("a wrong path", path, text_of(SUBMISSIONS.right(task_id)), 404, JSON)


def _good(chance: Random, task_id: str) -> tuple[str, bytes]:
    good = SUBMISSIONS.right(task_id)
    return chance.choice([(ONE, text_of(good)), (BATCH, text_of({"tasks": [good]}))])


HEADS: tuple[Callable[[Random, str], Asked], ...] = (
    wrong_envelope,
    wrong_items,
    bad_key,
    key_and_id,
    media_type,
    compressed,
    wrong_method,
    wrong_path,
)


def wrong_requests(chance: Random, prefix: str, count: int, heavy: int) -> tuple[list[Asked], list[str]]:
    """`count` requests, a few of them with a good task inside; the ids of those."""
    ids: Iterator[str] = (f"{prefix}-{number}" for number in itertools.count())
    made: list[Asked] = []
    good: list[str] = []
    alone, batches = count * 6 // 10, count // 10
    for wrong in wrong_documents(chance, SUBMISSIONS, ids, alone, heavy):
        broken_as_text = wrong.pointer in (None, "")
        if broken_as_text and chance.random() < 0.25:
            made.append(broken_batch(wrong))
        elif chance.random() < 0.25:
            made.append(of_keyed_document(wrong, f"{prefix}:{len(made)}"))
        else:
            made.append(of_document(wrong))
    for number in range(batches):
        # An item that cannot be read makes the whole batch unreadable; an item has to be an object.
        wrongs = [wrong for wrong in wrong_documents(chance, SUBMISSIONS, ids, 8, 0) if wrong.pointer]
        if not wrongs or number % 5:
            made.append(batch_of(wrongs or [next_wrong(chance, ids)]))
        else:
            good.append(next(ids))
            made.append(batch_around(wrongs, good[-1]))
    made += [gzip_bomb(chance, next(ids)) for _ in range(heavy)]
    made += [HEADS[number % len(HEADS)](chance, next(ids)) for number in range(count - len(made))]
    chance.shuffle(made)
    return made, good


def next_wrong(chance: Random, ids: Iterator[str]) -> Wrong:
    """A wrong document that can be read as JSON."""
    return next(wrong for wrong in wrong_documents(chance, SUBMISSIONS, ids, 40, 0) if wrong.pointer)
