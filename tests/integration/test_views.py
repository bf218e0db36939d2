"""The views of two diary processes on real Kafka: right from either, while one dies, and after a rebuild."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from agents.diary.description import openapi
from streamapp.clock import rfc3339
from streamapp.domain.task import Task
from streamapp.stream.partitions import partition_of
from tables.tasks import decode
from tests.support.brokers import RunningBrokers
from tests.support.lived import Lived, lived
from tests.support.reference import fold_topic
from tests.support.rocks import DIARY, differences, wipe
from tests.support.schema import faults
from tests.support.stack import PARTITIONS, RoleProcess
from tests.support.traffic import Traffic
from tests.support.waiting import until

SCHEMAS = openapi()["components"]["schemas"]
MOVING = ("asOf", "overdue", "why", "perMinute")
"""What depends on when the question is asked."""

OVERDUE_SOON_MS = 1500

LIFECYCLE = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
}


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    folder = tmp_path_factory.mktemp("views")
    async with lived(brokers_stack.endpoints, folder, DISPATCH__LOST_AFTER_SECONDS="1") as made:
        await made.kafka.create(made.topic, PARTITIONS, LIFECYCLE)
        await made.kafka.tell(made.topic, Traffic(11, "views").burst(300))
        await made.kafka.append(made.topic, [(b"k", b"garbage"), (None, b"{}")])
        yield made


@pytest.fixture(scope="module")
async def pair(life: Lived) -> AsyncIterator[list[RoleProcess]]:
    """Two processes that share the partitions and have folded everything."""
    made = [life.made.start("diary", name) for name in ("left", "right")]
    for process in made:
        await process.ready()
    await _settled(life, made)
    yield made
    for process in made:
        if process.running:
            assert process.stop() == 0
            assert process.troubles() == []


async def _settled(life: Lived, processes: list[RoleProcess]) -> None:
    """Wait until every list knows all partitions, and everything is folded."""
    records = sum(len(rows) for rows in (await life.kafka.read(life.topic)).values())

    async def done() -> bool:
        for process in processes:
            _, view = await process.get("/v1/overview")
            _, totals = await process.get("/v1/totals")
            folded = sum(totals["facts"].values()) + totals["duplicates"] + totals["unreadable"]
            if view["missingPartitions"] or totals["missingPartitions"] or folded != records or view["lag"]["total"]:
                return False
        return True

    await until(done, 60, "everything is folded and indexed", every=0.3)


async def _tasks(life: Lived) -> dict[str, Task]:
    """Every task as a plain fold of the topic tells it."""
    rows = fold_topic(await life.kafka.read(life.topic)).tasks
    return {key.decode(): decode(value) for found in rows.values() for key, value in found.items()}


async def _whole(process: RoleProcess, path: str, limit: int = 500) -> list[dict[str, Any]]:
    """A whole list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        status, view = await process.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
        assert (status, view["missingPartitions"], view["complete"]) == (200, [], True), view
        found += view.get("tasks", view.get("anomalies"))
        if view["next"] is None:
            return found
        cursor = f"&cursor={view['next']}"


def _lasting(value: Any) -> Any:
    """A view without what depends on when it was asked for."""
    if isinstance(value, dict):
        return {name: _lasting(member) for name, member in value.items() if name not in MOVING}
    return [_lasting(member) for member in value] if isinstance(value, list) else value


async def _everything(life: Lived, process: RoleProcess, until_ms: int) -> dict[str, Any]:
    """Every page and every number."""
    moment = quote(rfc3339(until_ms))
    paths = [
        "/v1/failures",
        "/v1/workers",
        f"/v1/rates?window=60&until={moment}",
        "/v1/latencies",
        f"/v1/latencies?window=60&until={moment}",
        "/v1/totals",
        "/v1/unreadable",
    ]
    found = {path: _lasting((await process.get(path))[1]) for path in paths}
    for path in ("/v1/tasks", "/v1/retrying", "/v1/anomalies"):
        found[path] = _lasting(await _whole(process, path))
    tasks = await _tasks(life)
    # What becomes overdue while this is asked for is not in every answer: of what was sooner, all are.
    soon = max(entry.at for task in tasks.values() for entry in task.history) + OVERDUE_SOON_MS
    await asyncio.sleep(max(soon / 1000 - time.time(), 0))
    stuck = [line for line in await _whole(process, "/v1/stuck") if line["expected"]["by"] <= rfc3339(soon)]
    assert stuck
    found["/v1/stuck"] = _lasting(stuck)
    for task_id in tasks:
        path = f"/v1/tasks/{quote(task_id, safe='')}"
        found[path] = _lasting((await process.get(path))[1])
    overview = (await process.get("/v1/overview"))[1]
    found["overview"] = {name: overview[name] for name in ("states", "open", "duplicates", "anomalies", "retrying")}
    return found


async def test_lists_are_what_a_fold_of_the_topic_says(life: Lived, pair: list[RoleProcess]) -> None:
    tasks = await _tasks(life)
    for process in pair:
        found = await _whole(process, "/v1/tasks", limit=37)
        assert {line["taskId"] for line in found} == set(tasks)
        assert len(found) == len(tasks)
        for line in found:
            task = tasks[line["taskId"]]
            assert (line["state"], line["attempt"], line["type"]) == (task.state, task.progress.attempt, task.type)
            assert line["anomalies"] == len(task.anomalies)
            assert line["changedAt"] == rfc3339(task.history[-1].at)
        times = [line["changedAt"] for line in found]
        assert times == sorted(times, reverse=True)
        anomalies = await _whole(process, "/v1/anomalies")
        assert len(anomalies) == sum(len(task.anomalies) for task in tasks.values())
        for state in {task.state for task in tasks.values()}:
            of_state = await _whole(process, f"/v1/tasks?state={state}")
            wanted = {task_id for task_id, task in tasks.items() if task.state == state}
            assert {line["taskId"] for line in of_state} == wanted


async def test_answers_are_as_described_and_equal_from_both(life: Lived, pair: list[RoleProcess]) -> None:
    described = {
        "/v1/tasks": "TaskPage",
        "/v1/stuck": "StuckPage",
        "/v1/retrying": "TaskPage",
        "/v1/anomalies": "AnomalyPage",
        "/v1/failures": "Failures",
        "/v1/workers": "Workers",
        "/v1/rates": "Rates",
        "/v1/latencies": "LatenciesByType",
        "/v1/totals": "Totals",
        "/v1/unreadable": "UnreadableRecords",
        "/v1/lag": "Lag",
        "/v1/overview": "Overview",
    }
    for path, name in described.items():
        views = [(await process.get(path))[1] for process in pair]
        assert [faults(view, SCHEMAS[name], SCHEMAS) for view in views] == [[], []], path
        if path not in ("/v1/overview", "/v1/rates"):
            assert _lasting(views[0]) == _lasting(views[1])
    for process in pair:
        status, document = await process.get("/openapi.json")
        assert (status, document["paths"].keys()) == (200, openapi()["paths"].keys())


async def test_figures_are_those_of_the_facts(life: Lived, pair: list[RoleProcess]) -> None:
    tasks = await _tasks(life)
    entries = [entry for task in tasks.values() for entry in task.history]
    for process in pair:
        _, rates = await process.get("/v1/rates?window=1440")
        told = [minute for minute in rates["series"] if any(minute[name] for name in minute if name != "at")]
        for name, fact in (("accepted", "TaskAccepted"), ("completed", "TaskExecutionCompleted")):
            assert sum(minute[name] for minute in told) == sum(entry.fact == fact for entry in entries)
        _, workers = await process.get("/v1/workers")
        assert {worker["worker"] for worker in workers["workers"]} == {"w1", "w2"}
        started = sum(entry.fact == "TaskExecutionStarted" for entry in entries)
        assert sum(worker["started"] for worker in workers["workers"]) == started
        running = {task["taskId"] for worker in workers["workers"] for task in worker["running"]}
        assert running == {task_id for task_id, task in tasks.items() if task.state == "RUNNING"}
        _, failures = await process.get("/v1/failures")
        failed = sum(entry.fact == "TaskExecutionFailed" for entry in entries)
        assert sum(kind["count"] for kind in failures["failures"]) == failed


async def test_own_writes_are_read_from_either(life: Lived, pair: list[RoleProcess]) -> None:
    traffic = Traffic(0, "mine")
    for number in range(20):
        fact = traffic.accepted()
        (metadata,) = await life.kafka.tell(life.topic, [fact])
        path = f"/v1/tasks/{fact.task_id}?min_position={metadata.partition}:{metadata.offset}"
        status, view = await pair[number % 2].get(path)
        assert (status, view["state"]) == (200, "ACCEPTED")


async def test_waiting_for_the_end_from_either(life: Lived, pair: list[RoleProcess]) -> None:
    facts = Traffic(0, "awaited").finished(1)
    path = f"/v1/tasks/{facts[0].task_id}?wait=30"
    asked = [asyncio.create_task(process.get(path, seconds=40)) for process in pair]
    await life.kafka.tell(life.topic, facts)
    for status, view in await asyncio.gather(*asked):
        assert (status, view["state"]) == (200, "COMPLETED")


async def test_a_task_as_it_was(life: Lived, pair: list[RoleProcess]) -> None:
    facts = Traffic(0, "past").finished(1)
    places = await life.kafka.tell(life.topic, facts)
    await _settled(life, pair)
    states = []
    for metadata in places:
        place = f"{metadata.partition}:{metadata.offset}"
        views = [(await process.get(f"/v1/tasks/{facts[0].task_id}?at={place}"))[1] for process in pair]
        assert _lasting(views[0]) == _lasting(views[1])
        states.append(views[0]["state"])
    assert states == ["ACCEPTED", "DISPATCHED", "RUNNING", "COMPLETED"]


async def test_a_large_task_comes_whole_through_the_other_process(life: Lived, pair: list[RoleProcess]) -> None:
    fact = Traffic(0, "large").accepted(payload={"text": "x" * 250_000})
    (metadata,) = await life.kafka.tell(life.topic, [fact])
    for process in pair:
        place = f"{metadata.partition}:{metadata.offset}"
        status, view = await process.get(f"/v1/tasks/{fact.task_id}?min_position={place}")
        assert (status, len(view["payload"]["text"])) == (200, 250_000)


async def test_report_of_a_span_from_either(life: Lived, pair: list[RoleProcess]) -> None:
    await _settled(life, pair)
    tasks = await _tasks(life)
    entries = [entry for task in tasks.values() for entry in task.history]
    first, last = min(entry.at for entry in entries), max(entry.at for entry in entries)
    path = f"/v1/outage?from={quote(rfc3339(first))}&to={quote(rfc3339(last))}"
    for process in pair:
        status, view = await process.get(path, seconds=60)
        assert (status, faults(view, SCHEMAS["Outage"], SCHEMAS)) == (200, [])
        assert view["missingPartitions"] == []
        assert view["accepted"] == sum(task.accepted_at is not None for task in tasks.values())
        assert view["duplicatesSuppressed"] == sum(task.duplicates for task in tasks.values())
        assert view["failed"] == sum(entry.fact == "TaskExecutionFailed" for entry in entries)
        assert view["anomalies"] == sum(len(task.anomalies) for task in tasks.values())
        assert view["unreadable"] == 2
        _, stuck = await process.get("/v1/overview")
        assert view["unexplained"] <= stuck["stuck"]
        assert view["verdict"] == ("unexplained" if view["unexplained"] else "as-designed")
    status, problem = await pair[0].get(f"/v1/outage?from=2026-01-01T00:00:00Z&to={quote(rfc3339(last))}")
    assert (status, problem["type"]) == (422, "/problems/window-too-large")


async def _listen(process: RoleProcess, wanted: int, last_id: str = "") -> tuple[list[tuple[str, int]], str]:
    """Places of so many events, as (task, offset), and the last id."""
    found: list[tuple[str, int]] = []
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{process.url}/v1/events/stream", headers=headers) as response,
        asyncio.timeout(30),
    ):
        kind = ""
        async for raw in response.content:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name == "id":
                last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                assert kind == "fact", value
                data = json.loads(value)
                found.append((data["taskId"], data["offset"]))
                if len(found) == wanted:
                    return found, last_id
    raise AssertionError("the stream has ended")


async def test_events_of_both_are_told_by_either_and_go_on_at_the_other(life: Lived, pair: list[RoleProcess]) -> None:
    first, second, third = (Traffic(0, name).finished(16) for name in ("first", "second", "third"))
    listening = [asyncio.create_task(_listen(process, 64)) for process in pair]
    await asyncio.sleep(2.5)  # until each process listens to the other one
    await life.kafka.tell(life.topic, first)
    heard = await asyncio.gather(*listening)
    for found, _ in heard:
        assert {task_id for task_id, _ in found} == {fact.task_id for fact in first}
        assert len(set(found)) == 64
    await life.kafka.tell(life.topic, second)
    going_on = [asyncio.create_task(_listen(pair[1 - number], 128, heard[number][1])) for number in range(2)]
    await life.kafka.tell(life.topic, third)
    for found, _ in await asyncio.gather(*going_on):
        assert {task_id for task_id, _ in found} == {fact.task_id for fact in (*second, *third)}
        assert len(set(found)) == 128


async def test_one_is_killed_and_its_partitions_are_missing_until_the_other_has_them(
    life: Lived, pair: list[RoleProcess]
) -> None:
    await _settled(life, pair)
    left, right = pair
    before = await _everything(life, left, 0)
    _, ready = await right.get("/readyz")
    lost = ready["partitions"]["tasks"]
    right.kill()
    _, view = await left.get("/v1/tasks?limit=500")
    assert view["missingPartitions"] == lost
    assert all(partition_of(line["taskId"].encode(), PARTITIONS) not in lost for line in view["tasks"])
    _, view = await left.get("/v1/overview")
    assert "partition-recovering" in {warning["slug"] for warning in view["warnings"]}
    await _settled(life, [left])
    assert await _everything(life, left, 0) == before
    pair[1] = await life.made.started("diary", "right")
    await _settled(life, pair)
    for process in pair:
        assert await _everything(life, process, 0) == before


async def test_every_page_and_number_is_equal_after_a_rebuild(life: Lived, pair: list[RoleProcess]) -> None:
    """Tables and changelogs deleted, everything folded from the first fact: nothing may differ."""
    await _settled(life, pair)
    entries = [entry for task in (await _tasks(life)).values() for entry in task.history]
    newest = max(entry.at for entry in entries)
    before = [await _everything(life, process, newest) for process in pair]
    assert before[0] == before[1]
    for process in pair:
        assert process.stop() == 0
    group = life.made.names.app_id("diary")
    await life.kafka.delete([name for name in await life.kafka.topics(group) if name.endswith("-changelog")])
    for name in ("left", "right"):
        wipe(life.made.tables(name, "diary"))
    pair[:] = [life.made.start("diary", name) for name in ("left", "right")]
    for process in pair:
        await process.ready()
    await _settled(life, pair)
    for process in pair:
        assert await _everything(life, process, newest) == before[0]


async def test_rows_of_the_tables_are_those_of_a_plain_fold(life: Lived, pair: list[RoleProcess]) -> None:
    await _settled(life, pair)
    expected = fold_topic(await life.kafka.read(life.topic))
    ends = await life.kafka.ends(life.topic)
    for process in pair:
        _, ready = await process.get("/readyz")
        held = ready["partitions"]["totals"]
        assert process.stop() == 0
        assert process.troubles() == []
        tables = life.made.tables(process.name, "diary")
        assert differences(tables, expected, DIARY, {partition: ends[partition] for partition in held}) == []
