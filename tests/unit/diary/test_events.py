"""Events: every fact once, in order, over all processes; whoever comes back goes on, or is told of the gap."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from agents.diary import event_stream, events, relay
from agents.diary.description import openapi
from agents.diary.event_ids import read_id, write_id
from agents.diary.events import Event, Events, Gap, TooMany
from streamapp.domain.facts import Recorded
from tests.support.memory_diary import Cluster, Process, SetClock
from tests.support.schema import faults
from tests.support.story import START, Story

Told = dict[str, Any]


class Watching:
    """A client of the stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def next(self) -> Told:
        """The next event, comments left out."""
        told: Told = {}
        async with asyncio.timeout(10):
            async for raw in self.response.content:
                line = raw.decode().rstrip("\n")
                if line.startswith(":"):
                    continue
                if not line:
                    if "event" in told:
                        return told
                    told = {}  # an id without an event
                    continue
                name, _, value = line.partition(": ")
                told[name] = json.loads(value) if name == "data" else value
                self.last_id = told.get("id", self.last_id)
        raise AssertionError("the stream has ended")

    async def take(self, number: int) -> list[Told]:
        return [await self.next() for _ in range(number)]


@asynccontextmanager
async def watching(process: Process, query: str = "", last_id: str = "") -> AsyncIterator[Watching]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{process.url}/v1/events/stream{query}", headers=headers) as response,
    ):
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert process.diary.events._watchers
        yield Watching(response)


async def relayed(made: Cluster, each: int = 1) -> None:
    """Wait until every process is watched by so many: by clients, and by the other process for its clients."""
    for process in made.processes:
        async with asyncio.timeout(10):
            while len(process.diary.events._watchers) < each:
                await asyncio.sleep(0.01)


def places(told: list[Told]) -> set[tuple[int, int]]:
    return {(one["data"]["partition"], one["data"]["offset"]) for one in told}


def life(task_id: str) -> list[Recorded]:
    story = Story(task_id)
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
    return story.facts


async def test_every_fact_of_all_processes_is_told_in_order(pair: Cluster) -> None:
    async with watching(pair.processes[0]) as left, watching(pair.processes[1]) as right:
        await relayed(pair, 2)
        ids = [f"new-{number}" for number in range(12)]
        for task_id in ids:
            await pair.tell(life(task_id))
        for client in (left, right):
            told = await client.take(48)
            assert {one["event"] for one in told} == {"fact"}
            assert len(places(told)) == 48
            for task_id in ids:
                of_task = [one["data"] for one in told if one["data"]["taskId"] == task_id]
                states = ["ACCEPTED", "DISPATCHED", "RUNNING", "COMPLETED"]
                assert [data["state"] for data in of_task] == states
                assert [data["worker"] for data in of_task] == [None, None, "w1", "w1"]
                assert {data["type"] for data in of_task} == {"EMAIL"}
            for one in told:
                assert one["id"].startswith(f"{one['data']['partition']}:{one['data']['offset']}")
                assert faults(one["data"], openapi()["components"]["schemas"]["Event"], {}) == []


async def test_one_process_alone(pair: Cluster) -> None:
    async with watching(pair.processes[0], "?process=only") as client:
        for number in range(12):
            await pair.tell(life(f"new-{number}"))
        told = await client.take(4)
        assert {place[0] for place in places(told)} <= {0, 2}
    assert not pair.processes[1].diary.events.wanted()


async def test_whoever_comes_back_goes_on_where_he_was(pair: Cluster) -> None:
    async with watching(pair.processes[0]) as client:
        await relayed(pair)
        for number in range(8):
            await pair.tell(life(f"before-{number}"))
        before = await client.take(32)
        last_id = client.last_id
    for number in range(8):
        await pair.tell(life(f"away-{number}"))
    async with watching(pair.processes[1], last_id=last_id) as client:
        await pair.tell(life("after"))
        told = await client.take(36)
        assert {one["event"] for one in told} == {"fact"}
        assert not places(told) & places(before)
        assert len(places(told)) == 36
        assert {one["data"]["taskId"] for one in told} == {f"away-{n}" for n in range(8)} | {"after"}


async def test_whoever_was_told_nothing_of_a_partition_misses_nothing_there(pair: Cluster) -> None:
    """Red while ids named only partitions that had sent something: what others told meanwhile was never heard of."""
    async with watching(pair.processes[0]) as client:
        await relayed(pair)
        async with asyncio.timeout(10):
            while len(read_id(client.last_id)) < pair.partitions:
                raw = (await client.response.content.readline()).decode().rstrip("\n")
                client.last_id = raw.removeprefix("id: ") if raw.startswith("id: ") else client.last_id
        last_id = client.last_id
    for number in range(8):
        await pair.tell(life(f"away-{number}"))
    async with watching(pair.processes[1], last_id=last_id) as client:
        told = await client.take(32)
        assert {one["event"] for one in told} == {"fact"}
        assert {one["data"]["taskId"] for one in told} == {f"away-{number}" for number in range(8)}
        assert {place[0] for place in places(told)} == set(range(pair.partitions))


async def test_what_is_remembered_no_more_is_a_gap(pair: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 3)
    process = pair.processes[0]
    async with watching(process, "?process=only") as client:
        await process.fold(0, at(0, pair.ends[0], life("a")))
        last_id = (await client.take(4))[0]["id"]
    async with watching(process, "?process=only", last_id) as client:
        told = await client.take(3)
        assert [one["event"] for one in told] == ["fact"] * 3
    async with watching(process, "?process=only", "0:0") as client:
        told = await client.take(4)
        assert [one["event"] for one in told] == ["gap", "fact", "fact", "fact"]
        assert told[0]["data"] == {"partition": 0, "from": 1, "to": pair.ends[0] + 1}


def at(partition: int, first: int, facts: list[Recorded]) -> list[Recorded]:
    """Facts at the next offsets of a partition."""
    return [Recorded(fact.fact, first + number, fact.at) for number, fact in enumerate(facts)]


async def test_no_more_than_so_many_a_second(pair: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_A_SECOND", 10)
    process = pair.processes[0]
    async with watching(process, "?process=only") as client:
        facts = [fact for number in range(50) for fact in life(f"many-{number}")]
        await process.fold(0, at(0, pair.ends[0], facts))
        told, skipped = 0, 0
        while told + skipped < 200:
            one = await client.next()
            if one["event"] == "skipped":
                skipped += one["data"]["count"]
            else:
                told += 1
        assert told + skipped == 200
        assert 10 <= told <= 40


async def test_so_many_watch_and_no_more(pair: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_WATCHERS", 1)
    async with watching(pair.processes[0], "?process=only"):
        status, problem = await pair.processes[0].get("/v1/events/stream?process=only")
        assert (status, problem["type"]) == (503, "/problems/too-many-waiting")
    status, _ = await pair.processes[0].get("/v1/events/stream?process=all")
    assert status == 400


async def test_streams_end_with_the_process(pair: Cluster) -> None:
    async with watching(pair.processes[0]) as client:
        pair.processes[0].app.should_stop = True
        with pytest.raises(AssertionError, match="ended"):
            await client.next()


async def test_a_process_that_goes_is_left_and_one_that_comes_is_joined(
    pair: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.05)
    left, right = pair.processes
    everyone = left.assigned
    left.assigned = {left.url: everyone[left.url]}
    async with watching(left) as client:
        await asyncio.sleep(0.1)
        assert not right.diary.events._watchers
        left.assigned = everyone
        await relayed(pair)
        facts = [fact for number in range(8) for fact in life(f"new-{number}")]
        await pair.tell(facts)
        assert len(places(await client.take(32))) == 32


async def test_nobody_watches_and_nothing_is_kept(pair: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    process = pair.processes[0]
    assert not process.diary.events.wanted()
    await pair.tell(life("unseen"))
    assert not process.diary.events._kept
    async with watching(process, "?process=only"):
        assert process.diary.events.wanted()
    async with asyncio.timeout(10):
        while process.diary.events._watchers:
            await asyncio.sleep(0.05)
    await process.fold(0, at(0, pair.ends[0], life("just-missed")))
    assert [len(kept) for kept in process.diary.events._kept.values()] == [4]
    monkeypatch.setattr(events, "KEEP_SECONDS", 0.0)
    assert not process.diary.events.wanted()
    assert not process.diary.events._kept


def event(offset: int) -> Event:
    fact = Story(f"task-{offset}").accepted().fact
    return Event(0, Recorded(fact, offset, START), "EMAIL", "ACCEPTED", 1)


def test_memory_begins_anew_where_a_partition_was_folded_elsewhere() -> None:
    told = Events(SetClock(START))
    told.tell(0, 5, 8, [event(5), event(7)])
    told.tell(0, 8, 9, [event(8)])
    watcher = told.watch({0: 4, 1: 3}, {0: 9})
    assert ([one.offset for one in watcher.unsent], watcher.gaps) == ([5, 7, 8], [])
    told.tell(0, 20, 21, [event(20)])
    watcher = told.watch({0: 8}, {0: 21})
    assert ([one.offset for one in watcher.unsent], watcher.gaps) == ([20], [Gap(0, 9, 20)])


@pytest.mark.parametrize(("first", "second"), [(3, 3), (5, 1), (1, 9), (6, 0)])
def test_memory_knows_how_far_back_it_reaches(monkeypatch: pytest.MonkeyPatch, first: int, second: int) -> None:
    monkeypatch.setattr(events, "KEPT", 5)
    told = Events(SetClock(START))
    told.tell(0, 0, first, [event(offset) for offset in range(first)])
    told.tell(0, first, first + second, [event(first + offset) for offset in range(second)])
    end = first + second
    watcher = told.watch({0: -1}, {0: end})
    kept = [one.offset for one in watcher.unsent]
    assert kept == list(range(max(end - 5, 0), end))
    assert watcher.gaps == ([Gap(0, 0, end - 5)] if end > 5 else [])


def test_a_slow_watcher_is_told_how_many_he_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_UNSENT", 3)
    told = Events(SetClock(START))
    watcher = told.watch({}, {})
    told.tell(0, 0, 5, [event(offset) for offset in range(5)])
    told.tell(0, 5, 6, [event(5)])
    assert (len(watcher.unsent), watcher.skipped) == (3, 3)
    told.leave(watcher)
    monkeypatch.setattr(events, "MAX_WATCHERS", 0)
    with pytest.raises(TooMany):
        told.watch({}, {})


def test_ids_are_places() -> None:
    seen = {0: 7, 2: 9}
    assert write_id(2, 9, seen) == "2:9,0:7"
    assert read_id("2:9,0:7") == seen
    assert read_id(write_id(5, 1, {})) == {5: 1}
    for strange in (None, "", "x", "1:2,", "1:-2", "1:--1", "1:2;3:4", "1:2," * 9000):
        assert read_id(strange) == {}
