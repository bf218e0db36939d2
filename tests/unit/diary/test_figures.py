"""The figures over two processes: sums of what both hold, equal from either, and by the clock where they have to be."""

from typing import Any

import pytest

from agents.diary import warnings as module
from agents.diary.description import openapi
from agents.diary.warnings import Standing, warnings
from streamapp.domain.facts import Recorded
from streamapp.domain.totals import Unreadable
from tests.support.memory_diary import Cluster, SetClock, cluster
from tests.support.schema import faults
from tests.support.story import START, Story
from tests.unit.diary.conftest import NOW, history, lives

TASKS = [story.task for story in lives()]
FACTS = [entry.fact for task in TASKS for entry in task.history]
SCHEMAS = openapi()["components"]["schemas"]
PATHS = {
    "/v1/tasks": "TaskPage",
    "/v1/tasks/task-3": "Task",
    "/v1/tasks/task-5": "Task",
    "/v1/tasks/refused": "Task",
    "/v1/tasks/task-6?at=2023-11-14T22:13:21Z": "Task",
    "/v1/stuck": "StuckPage",
    "/v1/retrying": "TaskPage",
    "/v1/anomalies": "AnomalyPage",
    "/v1/failures": "Failures",
    "/v1/workers": "Workers",
    "/v1/rates?window=20": "Rates",
    "/v1/latencies": "LatenciesByType",
    "/v1/latencies?window=20": "LatenciesByType",
    "/v1/totals": "Totals",
    "/v1/unreadable": "UnreadableRecords",
    "/v1/lag": "Lag",
    "/v1/overview": "Overview",
}


async def asked(made: Cluster, path: str) -> Any:
    """What both say, which has to be the same."""
    answers = [await process.get(path) for process in made.processes]
    assert [status for status, _ in answers] == [200, 200]
    assert answers[0] == answers[1]
    return answers[0][1]


@pytest.mark.parametrize("path", PATHS)
async def test_answers_are_as_described_and_equal_from_both(pair: Cluster, path: str) -> None:
    view = await asked(pair, path)
    assert faults(view, SCHEMAS[PATHS[path]], SCHEMAS) == []
    described = openapi()["paths"]
    name = path.partition("?")[0]
    name = "/v1/tasks/{taskId}" if name.startswith("/v1/tasks/") else name
    assert described[name]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith(
        f"/{PATHS[path]}"
    )


async def test_failures_the_most_frequent_first(pair: Cluster) -> None:
    view = await asked(pair, "/v1/failures")
    assert [(kind["type"], kind["errorType"], kind["count"], kind["permanent"]) for kind in view["failures"]] == [
        ("HOOK", "Boom", 8, 0),  # 4 are tried again, 4 contradict a success
        ("EMAIL", "Boom", 8, 4),
    ][::-1]
    assert set(view["failures"][0]["examples"]) == {"task-4", "task-14", "task-24", "task-34"}
    assert view["failures"][0]["lastMessage"] == "no luck"


async def test_workers_with_what_they_have_done_and_run(pair: Cluster) -> None:
    view = await asked(pair, "/v1/workers")
    found = {worker["worker"]: worker for worker in view["workers"]}
    assert sorted(found) == ["w0", "w1", "w2", "w9"]
    assert sum(worker["started"] for worker in found.values()) == FACTS.count("TaskExecutionStarted")
    assert sum(worker["completed"] for worker in found.values()) == FACTS.count("TaskExecutionCompleted")
    assert (found["w9"]["failed"], found["w9"]["failureRate"], found["w9"]["lastStartedAt"]) == (4, 1.0, None)
    running = [task for worker in found.values() for task in worker["running"]]
    assert {task["taskId"] for task in running} == {"task-2", "task-12", "task-22", "task-32"}
    assert all(task["since"] == "2023-11-14T22:13:22.000Z" for task in running)
    assert [worker["lastSeenAt"] for worker in view["workers"]] == sorted(
        (worker["lastSeenAt"] for worker in found.values()), reverse=True
    )


async def test_throughput_is_of_the_last_minutes(pair: Cluster, clock: SetClock) -> None:
    assert {worker["perMinute"] for worker in (await asked(pair, "/v1/workers"))["workers"]} == {0.0}
    clock.now = START + 100_000
    rates = {worker["worker"]: worker["perMinute"] for worker in (await asked(pair, "/v1/workers"))["workers"]}
    assert rates["w9"] == pytest.approx(4 / (96 / 60), rel=0.01)


async def test_rates_by_minute_with_gaps_filled(pair: Cluster) -> None:
    view = await asked(pair, "/v1/rates?window=12")
    assert (view["stepSeconds"], len(view["series"])) == (60, 12)
    times = [minute["at"] for minute in view["series"]]
    assert (times[0], times[-1]) == ("2023-11-14T22:12:00.000Z", "2023-11-14T22:23:00.000Z")
    first = view["series"][1]
    assert first["accepted"] == FACTS.count("TaskAccepted")
    assert first["completed"] == FACTS.count("TaskExecutionCompleted")
    assert (first["rejected"], first["failedPermanently"], first["requeued"], first["duplicates"]) == (1, 4, 0, 4)
    assert all(sum(value for name, value in minute.items() if name != "at") == 0 for minute in view["series"][2:])


async def test_a_window_may_end_in_the_past(pair: Cluster) -> None:
    view = await asked(pair, "/v1/rates?window=1&until=2023-11-14T22:13:59Z")
    assert [minute["at"] for minute in view["series"]] == ["2023-11-14T22:13:00.000Z"]
    assert (await asked(pair, "/v1/rates?window=1&until=2023-11-14T23:13:59+01:00"))["series"] == view["series"]
    assert (await asked(pair, "/v1/rates?until=1960-01-01T00:00:00Z"))["missingPartitions"] == []
    assert (await asked(pair, "/v1/latencies?window=5"))["endToEnd"]["count"] == 0
    assert (await asked(pair, "/v1/latencies?window=5&until=2023-11-14T22:13:59Z"))["endToEnd"]["count"] == 20


async def test_latencies_by_type_for_ever(pair: Cluster) -> None:
    view = await asked(pair, "/v1/latencies")
    assert view["dispatch"]["count"] == FACTS.count("TaskDispatched")
    assert view["endToEnd"]["count"] == 20
    assert view["endToEnd"]["sumMs"] == 20 * 3000
    assert (view["endToEnd"]["p50"], view["endToEnd"]["buckets"]["5000"]) == (5000, 20)
    parts = [view["byType"][name]["execution"]["count"] for name in ("EMAIL", "HOOK")]
    assert sum(parts) == view["execution"]["count"] == 20 + 12


async def test_overview(pair: Cluster, clock: SetClock) -> None:
    view = await asked(pair, "/v1/overview")
    assert view["states"] == {
        "ACCEPTED": 4,
        "DISPATCHED": 4,
        "RUNNING": 4,
        "RETRY_SCHEDULED": 4,
        "COMPLETED": 20,
        "FAILED_PERMANENTLY": 4,
        "REJECTED": 1,
    }
    assert (view["open"], view["stuck"], view["retrying"]) == (16, 12, 4)
    assert (view["successRate"], view["successRateEver"]) == (None, 20 / 24)
    assert (view["duplicates"], view["anomalies"], view["unreadable"]) == (4, 4, 0)
    assert view["workers"] == {"seenLastMinute": 0, "running": 4}
    assert [warning["slug"] for warning in view["warnings"]] == ["nothing-started", "outbox-waiting"]
    started, outbox = view["warnings"]
    assert started["text"] == "nothing has started for 594 s while 4 tasks wait"
    assert started["since"] == "2023-11-14T22:13:26.000Z"
    assert outbox["text"] == "4 tasks wait for dispatch, the oldest overdue by 590 s"
    clock.now = START + 30_000  # in the same minute
    view = await asked(pair, "/v1/overview")
    assert view["workers"] == {"seenLastMinute": 4, "running": 4}
    assert view["perSecond"]["accepted"] == round(40 / (clock.now % 60_000 / 1000), 3)
    assert (view["successRate"], view["latencies"]["endToEnd"]["count"]) == (20 / 24, 20)
    assert view["lastMinute"]["accepted"] == 0
    clock.now = START + 60_000
    assert (await asked(pair, "/v1/overview"))["lastMinute"]["accepted"] == 40


async def test_overview_names_partitions_that_are_missing(pair: Cluster) -> None:
    left, right = pair.processes
    assert right._runner is not None
    await right._runner.cleanup()
    right._runner = None
    _, view = await left.get("/v1/overview")
    assert view["missingPartitions"] == [1, 3]
    warning = next(one for one in view["warnings"] if one["slug"] == "partition-recovering")
    assert warning["text"].endswith("partitions 1, 3")


async def test_stale_is_said_and_warned_of(pair: Cluster) -> None:
    for process in pair.processes:
        process.freshness.stale = True
    _, view = await process.get("/v1/overview")
    assert (view["stale"], view["warnings"][0]["slug"]) == (True, "stale")
    for path in PATHS:
        assert (await process.get(path))[1]["stale"] is True


async def test_figures_survive_a_rebuild(pair: Cluster, clock: SetClock) -> None:
    """Tables deleted, everything folded again in other batches: every page and every number is equal."""
    async with cluster(clock, processes=1) as again:
        for recorded in history():
            await again.tell([recorded])
        await again.processes[0].assign()
        for path in PATHS:
            before, after = await asked(pair, path), (await again.processes[0].get(path))[1]
            assert before == after


async def test_figures_have_no_parameters_they_do_not_know(pair: Cluster) -> None:
    for path in ("overview", "totals", "failures", "workers", "lag", "unreadable"):
        assert (await pair.processes[0].get(f"/v1/{path}?window=5"))[0] == 400
    for query in ("window=0", "window=1441", "until=yesterday", "until=2026-01-01"):
        assert (await pair.processes[0].get(f"/v1/rates?{query}"))[0] == 400


def standing(**more: Any) -> Standing:
    """Nothing waits, unless `more` says so."""
    nothing = {
        "waiting": 0,
        "waiting_since": None,
        "last_started_at": 0,
        "undispatched": 0,
        "undispatched_since": None,
        "stuck": 0,
        "retrying": 0,
    }
    return Standing(**{**nothing, **more})


def slugs(*parts: Standing, **more: Any) -> list[str]:
    calm: dict[str, Any] = {"lag": {}, "unreadable": [], "missing": [], "stale": False, "stale_since": None}
    return [warning["slug"] for warning in warnings(parts, NOW, **{**calm, **more})]


def test_no_warning_without_a_reason() -> None:
    assert slugs() == []
    assert slugs(standing()) == []
    busy = standing(waiting=100, waiting_since=NOW - 500_000, last_started_at=NOW - 1000)
    assert slugs(busy) == []
    young = standing(waiting=1, waiting_since=NOW - module.SILENCE_MS + 1)
    assert slugs(young) == []
    assert slugs(lag={0: module.MANY_BEHIND - 1}) == []
    assert slugs(unreadable=[Unreadable(1, NOW - module.RECENT_MS - 1, "old")]) == []


def test_one_busy_partition_is_enough_to_know_that_workers_are_there() -> None:
    silent = standing(waiting=5, waiting_since=NOW - 500_000)
    assert slugs(silent) == ["nothing-started"]
    assert slugs(silent, standing(last_started_at=NOW - 5000)) == []


def test_every_warning_has_its_reason() -> None:
    late = standing(waiting=5, waiting_since=NOW - 500_000, undispatched=1, undispatched_since=NOW - 5000, stuck=6)
    found = warnings(
        [late],
        NOW,
        lag={0: module.MANY_BEHIND},
        unreadable=[Unreadable(1, NOW - 1000, "not JSON")],
        missing=[7],
        stale=True,
        stale_since=None,
    )
    assert {warning["slug"]: warning["text"] for warning in found} == {
        "stale": "Kafka does not answer: this is the last known state",
        "partition-recovering": "nothing is known now of the tasks in partitions 7",
        "nothing-started": "nothing has started for 500 s while 5 tasks wait",
        "outbox-waiting": "1 task waits for dispatch, the oldest overdue by 5 s",
        "lag": "5000 facts are not folded yet: all that is shown is older than that",
        "unreadable": "at least 1 records of the last hour are no facts, the latest because: not JSON",
    }


async def test_a_minute_that_is_young_is_told_together_with_the_one_before(pair: Cluster, clock: SetClock) -> None:
    story = Story("late")
    recorded = story.accepted()
    await pair.tell([Recorded(recorded.fact, 0, NOW)])
    clock.now = NOW - NOW % 60_000 + 60_000 + 5_000
    view = await asked(pair, "/v1/overview")
    assert view["perSecond"]["accepted"] == round(1 / 65, 3)
