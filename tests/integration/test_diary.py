"""Two diary processes: any of them answers for any task, and says what it does not know."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from streamapp.stream.partitions import partition_of
from tests.support.brokers import RunningBrokers
from tests.support.lived import Lived, lived
from tests.support.reference import fold_topic
from tests.support.stack import PARTITIONS, RoleProcess
from tests.support.traffic import Traffic
from tests.support.waiting import until

NASTY = ["a/b", "a%2Fb", "ü/ä?x=1#y", "💥 é", "a b+c&d", "%", "ﷺ;\\", "x" * 200]


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    async with lived(brokers_stack.endpoints, tmp_path_factory.mktemp("diary")) as made:
        yield made


@pytest.fixture(scope="module")
async def pair(life: Lived) -> AsyncIterator[list[RoleProcess]]:
    """Two processes that share the partitions, with facts in every one of them."""
    left, right = life.made.start("diary", "left"), life.made.start("diary", "right")
    await left.ready()
    await right.ready()
    await life.kafka.tell(life.topic, Traffic(3, "diary").burst(200))
    await life.kafka.tell(life.topic, [Traffic(0, "nasty").accepted(task_id) for task_id in NASTY])
    await life.kafka.append(life.topic, [(b"k", b"garbage")])
    await _all_told(life, left, right)
    yield [left, right]
    for process in (left, right):
        if process.running:
            assert process.stop() == 0
            assert process.troubles() == []


async def _held(process: RoleProcess) -> list[int]:
    status, answer = await process.get("/readyz")
    return list(answer["partitions"]["tasks"]) if status == 200 else []


async def _facts_told(process: RoleProcess) -> tuple[int, list[int]]:
    """How many records the totals tell of, and the partitions that nobody answers for."""
    _, totals = await process.get("/v1/totals")
    return sum(totals["facts"].values()) + totals["duplicates"] + totals["unreadable"], totals["missingPartitions"]


async def _all_told(life: Lived, *processes: RoleProcess) -> None:
    """Wait until all partitions are held and everything is folded."""
    records = sum(len(rows) for rows in (await life.kafka.read(life.topic)).values())

    async def done() -> bool:
        held = [partition for process in processes for partition in await _held(process)]
        return sorted(held) == list(range(PARTITIONS)) and await _facts_told(processes[0]) == (records, [])

    await until(done, 40, "everything is told of")


async def test_every_task_is_told_the_same_by_both(life: Lived, pair: list[RoleProcess]) -> None:
    assert all([await _held(process) for process in pair])
    expected = fold_topic(await life.kafka.read(life.topic)).tasks
    keys = [key for rows in expected.values() for key in rows]
    assert len(keys) > 200
    for key in keys:
        path = f"/v1/tasks/{quote(key.decode(), safe='')}"
        (left_status, left), (right_status, right) = [await process.get(path) for process in pair]
        assert (left_status, right_status) == (200, 200)
        assert _lasting(left) == _lasting(right)
        assert left["taskId"] == key.decode()


def _lasting(view: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name != "asOf"}


@pytest.mark.parametrize("task_id", NASTY)
async def test_ids_that_need_quoting(pair: list[RoleProcess], task_id: str) -> None:
    for process in pair:
        status, view = await process.get(f"/v1/tasks/{quote(task_id, safe='')}")
        assert (status, view.get("taskId"), view.get("state")) == (200, task_id, "ACCEPTED")
        place = {"partition": partition_of(task_id.encode(), PARTITIONS), "offset": view["position"]["offset"]}
        assert {name: view["facts"][0][name] for name in place} == place


async def test_an_unknown_task_is_404_from_both(pair: list[RoleProcess]) -> None:
    for number in range(PARTITIONS * 3):
        for process in pair:
            status, problem = await process.get(f"/v1/tasks/nobody-{number}")
            assert (status, problem["type"]) == (404, "/problems/task-unknown")


async def test_totals_are_the_sum_of_both(life: Lived, pair: list[RoleProcess]) -> None:
    (_, left), (_, right) = [await process.get("/v1/totals") for process in pair]
    assert _lasting(left) == _lasting(right)
    assert sum(left["states"].values()) == sum(
        len(rows) for rows in fold_topic(await life.kafka.read(life.topic)).tasks.values()
    )
    (_, one), (_, other) = [await process.get("/v1/unreadable") for process in pair]
    assert one["records"] == other["records"]
    assert [record["reason"] for record in one["records"]] == ["JSON is malformed: invalid character (byte 0)"]


async def test_one_killed_its_partitions_are_named_until_the_other_has_them(
    life: Lived, pair: list[RoleProcess]
) -> None:
    left, right = pair
    lost = await _held(right)
    records, missing = await _facts_told(left)
    assert missing == []
    right.kill()
    told, missing = await _facts_told(left)
    assert (missing, told < records) == (lost, True)
    task_id = next(name for name in NASTY if partition_of(name.encode(), PARTITIONS) in lost)
    path = f"/v1/tasks/{quote(task_id, safe='')}"
    status, problem = await left.get(path)
    assert (status, problem["type"]) == (503, "/problems/owner-unreachable")
    await _all_told(life, left)
    assert (await left.get(path))[0] == 200
    again = await life.made.started("diary", "right")
    await _all_told(life, left, again)
    assert (await again.get(path))[0] == 200
    pair[1] = again


async def test_kafka_hangs_and_the_last_known_state_is_told_as_stale(
    life: Lived, pair: list[RoleProcess], brokers_stack: RunningBrokers
) -> None:
    assert "kafka" in brokers_stack.stack.services, "Kafka belongs to somebody else, and this test stops it"
    facts = sum(len(rows) for rows in (await life.kafka.read(life.topic)).values())
    pids = [process.process.pid for process in pair]
    brokers_stack.stack.kafka.pause()
    try:
        for process in pair:
            await until(lambda process=process: _is_stale(process), 20, f"{process.name} says that it is stale")
        for process in pair:
            assert await _facts_told(process) == (facts, [])
            for task_id in NASTY:
                status, view = await process.get(f"/v1/tasks/{quote(task_id, safe='')}")
                assert (status, view["state"], view["stale"]) == (200, "ACCEPTED", True)
            status, answer = await process.get("/readyz")
            assert (status, answer["reasons"]) == (503, ["Kafka does not answer"])
    finally:
        brokers_stack.stack.kafka.resume()
    for process in pair:
        await process.ready()
    await life.kafka.tell(life.topic, Traffic(0, "later").finished(20))
    await _all_told(life, *pair)
    assert [process.process.pid for process in pair if process.running] == pids
    _, totals = await pair[0].get("/v1/totals")
    assert totals["stale"] is False


async def _is_stale(process: RoleProcess) -> bool:
    _, totals = await process.get("/v1/totals")
    return bool(totals["stale"])
