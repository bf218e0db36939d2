"""Ingest alone, on real brokers: events become facts once, whatever lies between them."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.ingest import Ingest
from streamapp.domain.facts import AnyFact, Origin, TaskAccepted, TaskRejected
from streamapp.domain.task import Task, fold
from streamapp.stream.batch import Record, RecordBatch
from streamapp.tasktypes import Registry
from streamapp.wire.scribe import Scribe
from tables.sources import Sources
from tests.support.brokers import RunningBrokers
from tests.support.events import event
from tests.support.lived import Lived, lived
from tests.support.rocks import wipe
from tests.support.stack import RoleProcess
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    async with lived(brokers_stack.endpoints, tmp_path_factory.mktemp("ingest")) as made:
        yield made


@pytest.fixture(scope="module")
async def ingest(life: Lived) -> AsyncIterator[RoleProcess]:
    process = await life.made.started("ingest")
    yield process
    if process.running:
        assert process.stop() == 0
    assert process.troubles() == []


async def _send(life: Lived, key: bytes | None, value: bytes | None) -> dict[str, Any]:
    """Produce an event; where it lies, as log fields."""
    (metadata,) = await life.kafka.append(life.made.names.events_topic, [(key, value)])
    return {"topic": metadata.topic, "partition": metadata.partition, "offset": metadata.offset}


async def _task(life: Lived, task_id: str) -> Task:
    task = fold(None, [recorded for _, recorded in await life.facts() if recorded.fact.task_id == task_id])
    assert task is not None
    return task


async def test_the_seeds_walk_through_with_a_plain_client(life: Lived, ingest: RoleProcess) -> None:
    assert ingest.lines("✓ Kafka consumer connected")
    kcat = shutil.which("kcat")
    assert kcat is not None, "kcat is missing: install the package kcat"
    value = event("evt-test-001", {"userId": "u123", "email": "test@example.com"})
    topic = life.made.names.events_topic
    for count in (1, 2):
        command = [kcat, "-b", life.made.endpoints.kafka, "-P", "-t", topic, "-p", "0"]
        await asyncio.to_thread(subprocess.run, command, input=value, check=True, timeout=20)
        message = f"✓ Kafka event enqueued: evt-test-001 (topic: {topic}, partition: 0, offset: {count - 1})"
        await ingest.logged(message)
    accepted = [item for _, item in await life.facts() if item.fact.task_id == "evt-test-001"]
    assert [item.fact.NAME for item in accepted] == ["TaskAccepted"] * 2
    first = accepted[0].fact
    assert isinstance(first, TaskAccepted)
    assert (first.type, first.origin) == ("USER_CREATED", Origin("event", topic, 0, 0))
    assert first.payload == {"userId": "u123", "email": "test@example.com"}
    task = await _task(life, "evt-test-001")
    assert (task.duplicates, len(task.history), task.anomalies) == (1, 1, [])


REJECTED: list[tuple[str, bytes | None, str]] = [
    ("wrong-fields", event("wrong-fields", timestamp="1", extra=1), "/timestamp"),
    ("no-payload", b'{"eventId": "no-payload", "timestamp": 1, "type": "USER_CREATED"}', "/payload"),
    ("too-large", event("too-large", {"text": "x" * 900_000}), "/payload"),
]
DISCARDED: list[tuple[str, bytes | None]] = [
    ("invalid JSON", b"{not json"),
    ("null", None),
    ("empty", b""),
    ("not UTF-8", b'{"eventId": "\xff"}'),
    ("no object", b"[1, 2]"),
    ("long id", event("x" * 10_000)),
    ("unprintable id", event("a\nb")),
    ("deep", b'{"eventId": "deep", "payload": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
]


@pytest.mark.parametrize(("task_id", "value", "pointer"), REJECTED, ids=[row[0] for row in REJECTED])
async def test_an_invalid_event_with_a_legible_id_is_recorded(
    life: Lived, ingest: RoleProcess, task_id: str, value: bytes | None, pointer: str
) -> None:
    place = await _send(life, b"k", value)
    (line,) = await ingest.logged("✗ Kafka event invalid, not enqueued", **place)
    assert pointer in [error["pointer"] for error in line["errors"]]
    rejected = (await life.told("TaskRejected", task_id)).fact
    assert isinstance(rejected, TaskRejected)
    assert pointer in [error.pointer for error in rejected.errors]
    assert rejected.origin == Origin("event", **place)
    assert "xxx" not in str(rejected)


@pytest.mark.parametrize(("name", "value"), DISCARDED, ids=[row[0] for row in DISCARDED])
async def test_an_event_without_a_legible_id_is_discarded_and_its_neighbours_are_not(
    life: Lived, ingest: RoleProcess, name: str, value: bytes | None
) -> None:
    before, after = f"before {name}", f"after {name}"
    await _send(life, b"k", event(before))
    place = await _send(life, b"k", value)
    await _send(life, b"k", event(after))
    await ingest.logged("✗ Kafka event invalid, not enqueued", task=None, **place)
    assert (await life.told("TaskAccepted", before)).fact.task_id == before
    assert (await life.told("TaskAccepted", after)).fact.task_id == after


async def test_keys_of_events_mean_nothing(life: Lived, ingest: RoleProcess) -> None:
    for number, key in enumerate([None, b"\xff\xfe", b"", b"k" * 10_000]):
        await _send(life, key, event(f"keyed-{number}"))
        await life.told("TaskAccepted", f"keyed-{number}")


async def test_consuming_from_the_start_again_appends_nothing(life: Lived, ingest: RoleProcess) -> None:
    """With the table of positions kept; with it lost the same ids make the same facts."""
    await _send(life, None, event("before-replay"))
    await life.told("TaskAccepted", "before-replay")
    assert ingest.stop() == 0
    topic, group = life.made.names.events_topic, life.made.names.app_id("ingest")
    ends = await life.kafka.ends(life.topic)
    zeros = {(topic, partition): 0 for partition in await life.kafka.ends(topic)}
    await life.kafka.move_group(group, zeros)
    again = await life.made.started("ingest")
    await _send(life, None, event("after-replay"))
    await life.told("TaskAccepted", "after-replay")
    assert again.stop() == 0
    assert sum((await life.kafka.ends(life.topic)).values()) == sum(ends.values()) + 1

    before = await _tasks(life)
    wipe(life.made.tables("ingest", "ingest"))
    await life.kafka.delete([name for name in await life.kafka.topics(group) if name.endswith("-changelog")])
    await life.kafka.move_group(group, zeros)
    lost = await life.made.started("ingest")
    await _send(life, None, event("after-loss"))
    await life.told("TaskAccepted", "after-loss")
    read = sum((await life.kafka.ends(topic)).values())
    await until(lambda: len(lost.lines("✓ Kafka event enqueued")) + len(lost.lines("✗ Kafka event")) >= read, 20)
    assert lost.stop() == 0
    after = await _tasks(life)
    assert after.pop("after-loss").duplicates == 0
    for task_id, task in after.items():
        assert (task.state, task.history, task.anomalies) == _essence(before[task_id])
    assert [again.troubles(), lost.troubles()] == [[], []]


def _essence(task: Task) -> tuple[Any, ...]:
    return task.state, task.history, task.anomalies


async def _tasks(life: Lived) -> dict[str, Task]:
    by_task: dict[str, list[Any]] = {}
    for _, recorded in await life.facts():
        by_task.setdefault(recorded.fact.task_id, []).append(recorded)
    return {task_id: task for task_id, facts in by_task.items() if (task := fold(None, facts))}


class HalfWritten:
    """A table of positions as a crash leaves it: the counts are written, how far they go is not."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes | None] = {}

    def applied(self, _: int) -> int:
        return 0

    def get(self, _: int, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def put(self, _: int, puts: dict[bytes, bytes | None], __: int) -> None:
        self.rows |= puts


class Silent:
    """A fact log that takes everything."""

    def __init__(self) -> None:
        self.facts: list[AnyFact] = []

    async def append_durably(self, facts: list[AnyFact]) -> list[None]:
        self.facts += facts
        return [None] * len(facts)


async def test_killed_between_counts_and_position_counts_nothing_twice() -> None:
    table: Any = HalfWritten()
    log: Any = Silent()
    sources = Sources(table)
    scribe = Scribe("ingest", "test", lambda: "2026-01-01T00:00:00.000Z")
    ingest = Ingest(sources, log, scribe, Registry.of([]), allow_unknown_fields=False)
    records = [Record(number, None, event(f"counted-{number}"), 0) for number in range(3)]
    for batch in (records, [*records, Record(3, None, b"{", 0)]):
        await ingest.fold(RecordBatch("consume-event", 0, 0, len(batch), batch))
    counts = sources.get(0)
    assert (counts.accepted, counts.rejected, counts.discarded) == (3, 0, 1)
    assert [fact.task_id for fact in log.facts] == ["counted-0", "counted-1", "counted-2"]


@pytest.mark.long
async def test_stopped_and_killed_under_load_loses_no_event(life: Lived) -> None:
    process = await life.made.started("ingest", "loaded")
    sent: list[str] = []
    done = asyncio.Event()

    async def pour() -> None:
        while not done.is_set():
            ids = [f"load-{len(sent) + number}" for number in range(50)]
            await life.kafka.append(life.made.names.events_topic, [(None, event(task_id)) for task_id in ids])
            sent.extend(ids)
            await asyncio.sleep(0.02)

    pouring = asyncio.create_task(pour())
    try:
        for end in ("stop", "kill"):
            await process.logged("✓ Kafka event enqueued", count=500)
            if end == "stop":
                assert process.stop() == 0
            else:
                process.kill()
            assert process.troubles() == []
            process = life.made.start("ingest", "loaded")
        await process.logged("✓ Kafka event enqueued", count=500)
    finally:
        done.set()
        await pouring

    async def missing() -> set[str]:
        facts: list[AnyFact] = [recorded.fact for _, recorded in await life.facts()]
        return set(sent) - {fact.task_id for fact in facts if isinstance(fact, TaskAccepted)}

    async def complete() -> bool:
        return not await missing()

    await until(complete, 30, "every event is a fact")
    assert process.stop() == 0
    assert process.troubles() == []
