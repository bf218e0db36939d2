"""The lists over two processes: right from either, page by page, and honest about what is missing."""

from typing import Any

import pytest

from tests.support.memory_diary import Cluster, SetClock, cluster
from tests.unit.diary.conftest import NOW, lives

TASKS = {story.task_id: story.task for story in lives()}


def ids(view: dict[str, Any]) -> list[str]:
    return [task["taskId"] for task in view["tasks"]]


async def pages(made: Cluster, path: str, limit: int) -> list[dict[str, Any]]:
    """All entries of a list, asked of the processes in turn."""
    found: list[dict[str, Any]] = []
    cursor = ""
    for turn in range(100):
        process = made.processes[turn % len(made.processes)]
        status, view = await process.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
        assert (status, view["missingPartitions"], view["complete"]) == (200, [], True)
        found += view.get("tasks", view.get("anomalies"))
        if view["next"] is None:
            return found
        cursor = f"&cursor={view['next']}"
    raise AssertionError("the list does not end")


async def test_both_tell_the_same_tasks_newest_first(pair: Cluster) -> None:
    answers = [await process.get("/v1/tasks?limit=500") for process in pair.processes]
    assert answers[0] == answers[1]
    view = answers[0][1]
    assert set(ids(view)) == set(TASKS)
    assert len(ids(view)) == len(TASKS)
    times = [task["changedAt"] for task in view["tasks"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_pages_are_the_whole_list_cut_up(pair: Cluster, limit: int) -> None:
    whole = (await pair.processes[0].get("/v1/tasks?limit=500"))[1]
    assert await pages(pair, "/v1/tasks", limit) == whole["tasks"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("state=ACCEPTED", lambda task: task.state == "ACCEPTED"),
        ("state=RUNNING&state=COMPLETED", lambda task: task.state in ("RUNNING", "COMPLETED")),
        ("type=HOOK", lambda task: task.type == "HOOK"),
        ("type=HOOK&state=RETRY_SCHEDULED", lambda task: task.type == "HOOK" and task.state == "RETRY_SCHEDULED"),
        ("error=Boom", lambda task: any(entry.fact == "TaskExecutionFailed" for entry in task.history)),
        ("anomaly=true", lambda task: bool(task.anomalies)),
        ("worker=w1", lambda task: next((e.worker for e in reversed(task.history) if e.worker), None) == "w1"),
        ("olderThan=597", lambda task: NOW - task.history[-1].at > 597_000),
        ("youngerThan=597", lambda task: NOW - task.history[-1].at <= 597_000),
        ("state=FAILED", lambda task: task.state == "FAILED"),
    ],
)
async def test_filters(pair: Cluster, query: str, wanted: Any) -> None:
    found = await pages(pair, f"/v1/tasks?{query}", 3)
    assert {task["taskId"] for task in found} == {task_id for task_id, task in TASKS.items() if wanted(task)}


async def test_a_line_says_what_lists_need(pair: Cluster) -> None:
    _, view = await pair.processes[0].get("/v1/tasks?state=FAILED_PERMANENTLY&limit=1")
    assert view["tasks"] == [
        {
            "taskId": view["tasks"][0]["taskId"],
            "type": "EMAIL",
            "state": "FAILED_PERMANENTLY",
            "attempt": 2,
            "failures": 2,
            "acceptedAt": "2023-11-14T22:13:20.000Z",
            "changedAt": "2023-11-14T22:13:28.000Z",
            "endedAt": "2023-11-14T22:13:28.000Z",
            "notBefore": None,
            "worker": view["tasks"][0]["worker"],
            "errorType": "Boom",
            "errorMessage": "no luck",
            "anomalies": 0,
            "expected": {"what": "nothing", "by": None},
            "overdue": False,
        }
    ]


async def test_stuck_tells_what_is_overdue_and_why(pair: Cluster) -> None:
    found = await pages(pair, "/v1/stuck", 5)
    states = [TASKS[task["taskId"]].state for task in found]
    assert states == ["ACCEPTED"] * 4 + ["RUNNING"] * 4 + ["DISPATCHED"] * 4
    assert {task["why"] for task in found} == {
        "due, and not dispatched, since 600 s",
        "started 598 s ago, and no outcome within its timeout and the guard's lease",
        "dispatched 599 s ago, and not started",
    }
    assert all(task["overdue"] for task in found)
    assert found[0]["since"] == "2023-11-14T22:13:20.000Z"


async def test_nothing_is_stuck_in_time(pair: Cluster, clock: SetClock) -> None:
    clock.now = NOW - 599_000
    assert (await pair.processes[1].get("/v1/stuck"))[1]["tasks"] == []


async def test_retrying_tells_what_is_due_next(pair: Cluster) -> None:
    found = await pages(pair, "/v1/retrying", 2)
    assert [task["taskId"] for task in found] == ["task-3", "task-13", "task-23", "task-33"]


async def test_anomalies_newest_first_with_their_places(pair: Cluster) -> None:
    found = await pages(pair, "/v1/anomalies", 3)
    assert {odd["taskId"] for odd in found} == {"task-5", "task-15", "task-25", "task-35"}
    for odd in found:
        assert odd["fact"] == "TaskExecutionFailed"
        assert odd["reason"] == "an outcome after the end does not count"
        _, task = await pair.processes[0].get(f"/v1/tasks/{odd['taskId']}")
        assert odd["offset"] == task["anomalies"][0]["offset"]
        assert odd["partition"] == task["position"]["partition"]


@pytest.mark.parametrize("path", ["tasks", "stuck", "retrying", "anomalies"])
async def test_partitions_that_nobody_answers_for_are_named(pair: Cluster, path: str) -> None:
    left, right = pair.processes
    assert right._runner is not None
    await right._runner.cleanup()
    _, view = await left.get(f"/v1/{path}?limit=500")
    assert view["missingPartitions"] == [1, 3]
    right._runner = None


async def test_a_partition_whose_index_is_being_built_is_named(pair: Cluster) -> None:
    left, _ = pair.processes
    index = left.diary.indexes._ready.pop(2)
    _, view = await pair.processes[1].get("/v1/tasks?limit=500")
    assert view["missingPartitions"] == [2]
    left.diary.indexes._ready[2] = index


async def test_lists_that_do_not_reach_back_say_so(clock: SetClock) -> None:
    from tests.unit.diary.conftest import history

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.diary.indexes.MIN_ROOM", 1)
        async with cluster(clock, indexed=2) as made:
            await made.tell(history())
            _, view = await made.processes[0].get("/v1/tasks?limit=500")
            assert (view["complete"], view["next"]) == (False, None)
            _, view = await made.processes[0].get("/v1/tasks?limit=500&state=ACCEPTED")
            assert (view["complete"], len(view["tasks"])) == (True, 4)
            _, task = await made.processes[0].get("/v1/tasks/task-7")  # the table knows it, as ever
            assert task["state"] == "COMPLETED"


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=%C2%B2", "limit"),
        ("state=DONE", "state"),
        ("anomaly=yes", "anomaly"),
        ("olderThan=-1", "olderThan"),
        ("youngerThan=nan", "youngerThan"),
        ("cursor=x", "cursor"),
        ("cursor=W10", "cursor"),
        ("cursor=" + "A" * 5000, "cursor"),
        ("worker=", "worker"),
        ("sate=FAILED", "sate"),
    ],
)
async def test_what_cannot_be_meant_is_refused(pair: Cluster, query: str, word: str) -> None:
    for process in pair.processes:
        status, problem = await process.get(f"/v1/tasks?{query}")
        assert (status, problem["type"]) == (400, "/problems/invalid-parameter")
        assert word in problem["detail"]


async def test_a_cursor_belongs_to_its_list(pair: Cluster) -> None:
    _, view = await pair.processes[0].get("/v1/tasks?limit=1")
    assert (await pair.processes[0].get(f"/v1/stuck?cursor={view['next']}"))[0] == 400


async def test_paging_goes_on_while_tasks_change(pair: Cluster, clock: SetClock) -> None:
    _, first = await pair.processes[0].get("/v1/tasks?limit=10")
    moved = next(story for story in lives() if story.task_id == "task-2")
    done = moved.completed(worker="w2")
    await pair.tell([done.__class__(done.fact, 0, NOW)])
    _, rest = await pair.processes[1].get(f"/v1/tasks?limit=500&cursor={first['next']}")
    assert set(ids(first)) | set(ids(rest)) >= set(TASKS) - {"task-2"}
    assert not set(ids(first)) & set(ids(rest))
    assert ids((await pair.processes[1].get("/v1/tasks?limit=1"))[1]) == ["task-2"]
