"""Poison in the diary: records that are no facts are named and skipped, and their neighbours are processed."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import confluent_kafka
import pytest

from streamapp.domain.facts import AnyFact
from streamapp.stream.holes import Holes
from streamapp.stream.partitions import partition_of
from streamapp.wire import facts as wire
from tests.support.brokers import RunningBrokers
from tests.support.lived import Lived, lived
from tests.support.stack import PARTITIONS, RoleProcess
from tests.support.traffic import Traffic
from tests.support.waiting import until

LARGE = 900_000
traffic = Traffic(0, "poison")
_numbers = itertools.count()


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    async with lived(brokers_stack.endpoints, tmp_path_factory.mktemp("poison")) as made:
        yield made


@pytest.fixture(scope="module")
async def process(life: Lived) -> AsyncIterator[RoleProcess]:
    started = await life.made.started()
    yield started
    if started.running:
        assert started.stop() == 0
    assert started.troubles() == []


def _encoded(task_id: str, **changes: Any) -> tuple[bytes, bytes]:
    return wire.encode(traffic.accepted(task_id, **changes))


KEY, VALUE = _encoded("somebody")
LONG_KEY, LONG_VALUE = _encoded("i" * 10_000)
POISON: dict[str, tuple[bytes | None, bytes | None, str]] = {
    "garbage": (KEY, b"\x00\xff garbage", "JSON is malformed: invalid character (byte 0)"),
    "null value": (KEY, None, "no value"),
    "wrong key": (b"another", VALUE, "the key is not the subject"),
    "non-UTF-8 key": (b"\xff\xfe", VALUE, "the key is not the subject"),
    "null key": (None, VALUE, "the key is not the subject"),
    "unknown type": (KEY, VALUE.replace(b"TaskAccepted", b"TaskPostponed"), "unknown fact type"),
    "900 kB of garbage": (KEY, b"x" * LARGE, "JSON is malformed: invalid character (byte 0)"),
    "10,000 characters of id": (LONG_KEY, LONG_VALUE, "Expected `str` of length <= 200 - at `$.subject`"),
    "another version": (KEY, VALUE.replace(b'"1.0"', b'"9.9"'), "not CloudEvents 1.0"),
}


def _accepted_in(partition: int, prefix: str) -> AnyFact:
    """A new task whose facts lie in `partition`."""
    numbers = (f"{prefix}-{next(_numbers)}" for _ in itertools.count())
    return traffic.accepted(next(name for name in numbers if partition_of(name.encode(), PARTITIONS) == partition))


async def _task(process: RoleProcess, task_id: str) -> dict[str, Any]:
    """Wait for a task's view."""

    async def found() -> dict[str, Any] | None:
        status, view = await process.get(f"/v1/tasks/{task_id}")
        return view if status == 200 else None

    view = await until(found, 20, f"{task_id} is in the diary")
    assert view is not None
    return view


@pytest.mark.parametrize("name", POISON)
async def test_poison_is_named_and_its_neighbours_are_processed(life: Lived, process: RoleProcess, name: str) -> None:
    key, value, reason = POISON[name]
    before, after = _accepted_in(3, "before"), _accepted_in(3, "after")
    (first,) = await life.kafka.tell(life.topic, [before])
    (bad,) = await life.kafka.append(life.topic, [(key, value)], partition=first.partition)
    await life.kafka.tell(life.topic, [after])
    await life.tap.published(f"{before.task_id}:1")
    await life.tap.published(f"{after.task_id}:1")
    assert (await _task(process, before.task_id))["type"] == (await _task(process, after.task_id))["type"] == "EMAIL"

    async def named() -> dict[str, Any] | None:
        _, answer = await process.get("/v1/unreadable")
        places = {(item["partition"], item["offset"]): item for item in answer["records"]}
        return places.get((bad.partition, bad.offset))

    record = await until(named, 20, "the record is named")
    assert record is not None
    assert (record["topic"], record["reason"]) == (life.topic, reason)
    assert process.lines("no fact, skipped", topic=life.topic, partition=bad.partition, offset=bad.offset)


async def test_a_large_fact_is_folded_and_published(life: Lived, process: RoleProcess) -> None:
    """As large as the topic takes: table records and jobs hold its payload once more."""
    fact = traffic.accepted(payload={"text": "x" * LARGE})
    await life.kafka.tell(life.topic, [fact])
    tapped = await life.tap.published(f"{fact.task_id}:1")
    assert len(tapped.job.parameters["text"]) == LARGE
    assert len((await _task(process, fact.task_id))["payload"]["text"]) == LARGE


class Transactional:
    """A foreign producer that uses transactions."""

    def __init__(self, servers: str, name: str) -> None:
        config = {"bootstrap.servers": servers, "transactional.id": name, "partitioner": "murmur2_random"}
        self._producer = confluent_kafka.Producer(config)
        self._producer.init_transactions(20)

    def tell(self, topic: str, partition: int, facts: list[AnyFact], *, commit: bool) -> None:
        """Append facts in one transaction, and commit or abort it."""
        self._producer.begin_transaction()
        for key, value in map(wire.encode, facts):
            self._producer.produce(topic, value, key, partition=partition)
        self._producer.flush(20)
        if commit:
            self._producer.commit_transaction(20)
        else:
            self._producer.abort_transaction(20)


async def test_aborted_facts_were_never_said_and_markers_at_the_end_keep_no_gate_shut(
    life: Lived, process: RoleProcess
) -> None:
    """The last thing in one partition is aborted facts and their marker, in the others a marker after a fact."""
    foreign = await asyncio.to_thread(Transactional, life.made.endpoints.kafka, life.made.names.namespace)
    aborted, committed = [], []
    for partition in range(PARTITIONS):
        aborted.append(_accepted_in(partition, "aborted"))
        committed.append(_accepted_in(partition, "committed"))
        last = [(aborted[-1:], False), (committed[-1:], True)]
        for facts, commit in reversed(last) if partition == 0 else last:
            await asyncio.to_thread(foreign.tell, life.topic, partition, facts, commit=commit)
    for fact in committed:
        await life.tap.published(f"{fact.task_id}:1")
    await _only_empty_holes_are_empty(life, committed[1])
    await life.calm()
    assert process.stop() == 0
    # Now every partition ends with markers, because nothing comes after the facts that dispatch has appended but these.
    for partition in range(PARTITIONS):
        aborted.append(_accepted_in(partition, "aborted"))
        await asyncio.to_thread(foreign.tell, life.topic, partition, aborted[-1:], commit=False)
    restarted = await life.made.started()
    await restarted.gates_open()
    told = await life.canaries(traffic)
    for message_id in told:
        await life.tap.published(message_id)
    assert not [message_id for message_id in life.tap.ids if message_id.startswith("aborted")]
    assert {(await restarted.get(f"/v1/tasks/{fact.task_id}"))[0] for fact in committed} == {200}
    assert {(await restarted.get(f"/v1/tasks/{fact.task_id}"))[0] for fact in aborted} == {404}
    await life.calm()
    assert restarted.stop() == 0
    assert restarted.troubles() == []
    assert await life.odd_rows(life.made.tables("all")) == []


async def _only_empty_holes_are_empty(life: Lived, committed: AnyFact) -> None:
    """Before the fact lie aborted ones and a marker; the fact itself is not to be passed over."""
    offset = (await life.told("TaskAccepted", committed.task_id)).offset
    partition = partition_of(committed.task_id.encode(), PARTITIONS)
    holes = Holes(life.made.endpoints.kafka)
    try:
        assert await holes.first_record(life.topic, partition, offset - 1) == offset
        assert await holes.first_record(life.topic, partition, offset) == offset
        assert (await holes.first_record(life.topic, partition, offset + 1) or offset + 1) > offset
    finally:
        await holes.close()
