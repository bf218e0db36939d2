"""One task: now, as it was, and waiting for it, from its owner or through another process."""

import asyncio
from urllib.parse import quote

import pytest

from agents.diary import arrivals, one_task
from streamapp.domain.facts import Recorded
from streamapp.stream.partitions import partition_of
from tests.support.memory_diary import Cluster
from tests.support.story import START, Story

PARTITIONS = 4


async def told(pair: Cluster, story: Story, facts: slice) -> None:
    await pair.tell(story.facts[facts])


async def test_fields_that_are_new(pair: Cluster) -> None:
    for process in pair.processes:
        _, view = await process.get("/v1/tasks/task-1")
        assert view["expected"] == {"what": "start", "by": "2023-11-14T22:15:21.000Z"}
        assert view["requeues"] == 0


async def test_a_large_payload_comes_whole_through_another_process(pair: Cluster) -> None:
    """Half a megabyte does not come in one piece."""
    story = Story("large")
    recorded = story.accepted({"text": "ä" * 250_000})
    await pair.tell([recorded])
    for process in pair.processes:
        status, view = await process.get("/v1/tasks/large")
        assert (status, len(view["payload"]["text"])) == (200, 250_000)


async def test_as_it_was_then(pair: Cluster) -> None:
    for process in pair.processes:
        _, now = await process.get("/v1/tasks/task-4")
        states = []
        for fact in now["facts"]:
            place = f"{fact['partition']}:{fact['offset']}"
            _, then = await process.get(f"/v1/tasks/task-4?at={place}")
            assert then["at"] == place
            assert then["facts"] == now["facts"][: len(states) + 1]
            _, same = await process.get(f"/v1/tasks/task-4?at={quote(fact['at'])}")
            assert {**same, "at": 0} == {**then, "at": 0}
            states.append(then["state"])
        assert states == [
            "ACCEPTED",
            "DISPATCHED",
            "RUNNING",
            "FAILED",
            "RETRY_SCHEDULED",
            "DISPATCHED",
            "RUNNING",
            "FAILED",
            "FAILED_PERMANENTLY",
        ]
        status, problem = await process.get("/v1/tasks/task-4?at=2023-11-14T22:13:19Z")
        assert (status, problem["type"]) == (404, "/problems/task-unknown")


async def test_what_was_not_kept_is_a_problem_of_its_own(pair: Cluster) -> None:
    story = Story("flooded")
    story.accepted()
    for number in range(220):
        story.rejected(str(number).encode())
    await pair.tell(story.facts)
    partition = partition_of(b"flooded", PARTITIONS)
    last = pair.ends[partition] - 1
    for process in pair.processes:
        status, problem = await process.get(f"/v1/tasks/flooded?at={partition}:{last - 1}")
        assert (status, problem["type"]) == (422, "/problems/history-not-kept")
        assert (await process.get(f"/v1/tasks/flooded?at={partition}:{last}"))[0] == 200
        assert (await process.get(f"/v1/tasks/flooded?at={partition}:{last - 210}"))[0] == 200


@pytest.mark.parametrize(
    "query",
    [
        "at=0",
        "at=1:2:3",
        "at=yesterday",
        "wait=61",
        "wait=x",
        "min_position=7",
        "at=2026-01-01T00:00:00Z&wait=5",
        "now=1",
    ],
)
async def test_what_cannot_be_meant_is_refused(pair: Cluster, query: str) -> None:
    status, problem = await pair.processes[0].get(f"/v1/tasks/task-1?{query}")
    assert (status, problem["type"]) == (400, "/problems/invalid-parameter")


async def test_a_place_has_to_be_one_of_the_task(pair: Cluster) -> None:
    other = (partition_of(b"task-1", PARTITIONS) + 1) % PARTITIONS
    for query in (f"at={other}:0", f"min_position={other}:0"):
        status, problem = await pair.processes[0].get(f"/v1/tasks/task-1?{query}")
        assert (status, "partition" in problem["detail"]) == (400, True)


async def test_waits_until_the_task_has_ended(pair: Cluster) -> None:
    story = Story("awaited")
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
    asked = [asyncio.create_task(process.get("/v1/tasks/awaited?wait=30")) for process in pair.processes]
    await asyncio.sleep(0.05)
    for number in range(4):
        assert not any(question.done() for question in asked)
        await told(pair, story, slice(number, number + 1))
        await asyncio.sleep(0.02)
    for status, view in await asyncio.gather(*asked):
        assert (status, view["state"]) == (200, "COMPLETED")
    (owner,) = {process for process in pair.processes if process.tasks.get(partition_of(b"awaited", 4), b"awaited")}
    assert not owner.diary.arrivals._tasks


async def test_waits_no_longer_than_it_was_asked_to(pair: Cluster) -> None:
    for process in pair.processes:
        status, view = await process.get("/v1/tasks/task-1?wait=0.1")
        assert (status, view["state"]) == (200, "DISPATCHED")
        status, problem = await process.get("/v1/tasks/nobody?wait=0.1")
        assert (status, problem["type"]) == (404, "/problems/task-unknown")


async def test_ones_own_write_is_read(pair: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story("mine")
    story.accepted()
    partition = partition_of(b"mine", PARTITIONS)
    place = f"{partition}:{pair.ends[partition]}"
    path = f"/v1/tasks/mine?min_position={place}"
    asked = [asyncio.create_task(process.get(path)) for process in pair.processes]
    await asyncio.sleep(0.05)
    assert not any(question.done() for question in asked)
    await told(pair, story, slice(1))
    for status, view in await asyncio.gather(*asked):
        assert (status, view["state"]) == (200, "ACCEPTED")
    monkeypatch.setattr(one_task, "FOLD_SECONDS", 0.05)
    for process in pair.processes:
        status, problem = await process.get(f"/v1/tasks/mine?min_position={partition}:{10**9}")
        assert (status, problem["type"]) == (503, "/problems/not-yet-folded")


async def test_so_many_wait_and_no_more(pair: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MAX_WAITING", 1)
    process = next(one for one in pair.processes if partition_of(b"task-1", PARTITIONS) in one.tasks.next)
    first = asyncio.create_task(process.get("/v1/tasks/task-1?wait=20"))
    await asyncio.sleep(0.05)
    status, problem = await process.get("/v1/tasks/task-1?wait=20")
    assert (status, problem["type"]) == (503, "/problems/too-many-waiting")
    story = Story("task-1")
    story.completed()
    await pair.tell([Recorded(story.facts[0].fact, 0, START + 5000)])
    assert (await first)[1]["state"] == "COMPLETED"


async def test_a_partition_that_goes_while_somebody_waits(pair: Cluster) -> None:
    partition = partition_of(b"task-1", PARTITIONS)
    process = next(one for one in pair.processes if partition in one.tasks.next)
    asked = asyncio.create_task(process.get("/v1/tasks/task-1?wait=20"))
    await asyncio.sleep(0.05)
    del process.tasks.next[partition]
    status, view = await asked
    assert (status, view["state"]) == (200, "DISPATCHED")  # the last known state, at once
    del process.tasks._store._dbs[partition]
    status, problem = await process.get("/v1/tasks/task-1")
    assert (status, problem["type"]) == (503, "/problems/partition-recovering")
