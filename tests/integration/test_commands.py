"""The operators' commands as processes, asked about real roles on real brokers."""

import asyncio
import itertools
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.brokers import RunningBrokers
from tests.support.command import Command, hear_interrupts
from tests.support.lived import Lived, lived
from tests.support.stack import PROJECT, RoleProcess
from tests.support.waiting import until

MODULE = '["tests.support.mended"]'
COMPLETED = ["TaskAccepted", "TaskDispatched", "TaskExecutionStarted", "TaskExecutionCompleted"]
SECONDS = 60.0


class Place:
    """Every role, one task that has completed and one that has failed for good."""

    def __init__(self, life: Lived, directory: Path, streams: RoleProcess, api: RoleProcess) -> None:
        self.life, self.directory, self.streams = life, directory, streams
        self.command = Command(life.made, API__PORT=str(urlsplit(api.url).port))

    async def submit(self, task_id: str) -> dict[str, Any]:
        payload = json.dumps({"directory": str(self.directory)})
        told: dict[str, Any] = await self.command.document("submit", "MENDABLE", payload, "--task-id", task_id)
        return told

    async def lines(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """What `task watch --json` prints."""
        out, _ = await self.command.run("task", "watch", *arguments, "--json", code=code)
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
async def place(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("commands")
    settings = {"TASKS__TYPES": MODULE, "TASKS__HANDLERS": MODULE, "GUARD__LEASE_SECONDS": "2"}
    async with lived(brokers_stack.endpoints, folder / "installation", **settings) as life:
        life.made.surroundings["PYTHONPATH"] = str(PROJECT)  # the `faust` command looks for modules beside itself only
        await Command(life.made).run("setup")
        streams = await life.made.started()
        api = await life.made.started("api")
        worker = life.made.start("worker")
        await streams.gates_open()
        made = Place(life, folder, streams, api)
        await made.submit("broken")
        await made.command.run("task", "show", "broken", "--wait", "60")
        (folder / "mended").touch()
        await made.submit("good")
        await made.command.run("task", "show", "good", "--wait", "60")
        yield made
        for process in (worker, api, made.streams):
            assert process.stop() == 0
            assert process.troubles() == []


async def test_one_task_is_shown_as_it_is_and_as_it_was(place: Place) -> None:
    view = await place.command.document("task", "show", "good")
    assert (view["state"], view["result"]) == ("COMPLETED", {"attempt": 1})
    assert view == {**(await place.command.document("show", "good")), "asOf": view["asOf"]}
    accepted = view["facts"][0]
    then = await place.command.document("task", "show", "good", "--at", f"{accepted['partition']}:{accepted['offset']}")
    assert (then["state"], len(then["facts"])) == ("ACCEPTED", 1)
    told = await place.submit("read-my-write")
    folded = f"{told['partition']}:{told['offset']}"
    view = await place.command.document("task", "show", "read-my-write", "--min-position", folded, "--wait", "60")
    assert view["state"] == "COMPLETED"
    await place.command.run("task", "show", "nobody", code=1)


async def test_a_history_tells_attempts_and_every_fact(place: Place) -> None:
    out, _ = await place.command.run("task", "history", "broken")
    steps = [line for line in out.splitlines() if line.startswith("1 ")]
    for what in ("dispatched", "started", "failed after", "failed for good", "still broken"):
        assert any(what in step for step in steps), what
    for fact in ("TaskAccepted", "TaskDispatched(1)", "TaskExecutionStarted(1)", "TaskExecutionFailed(1)"):
        assert fact in out


async def test_lists_and_reports(place: Place) -> None:
    view = await place.command.document("task", "list", "--state", "FAILED_PERMANENTLY")
    assert [task["taskId"] for task in view["tasks"]] == ["broken"]
    everything = await place.command.document("task", "list", "--all", "--younger-than", "1h")
    assert {"good", "broken"} <= {task["taskId"] for task in everything["tasks"]}
    assert "broken" in (await place.command.run("task", "list", "--type", "MENDABLE"))[0]
    (failure,) = (await place.command.document("failures"))["failures"]
    assert (failure["type"], failure["permanent"], failure["examples"]) == ("MENDABLE", 1, ["broken"])
    assert "no tasks are stuck" in (await place.command.run("stuck"))[0]
    overview = await place.command.document("overview")
    assert (overview["warnings"], overview["states"]["FAILED_PERMANENTLY"]) == ([], 1)


async def test_workers_as_facts_redis_and_rabbitmq_tell_of_them(place: Place) -> None:
    view = await place.command.document("workers", "--live")
    (worker,) = view["workers"]
    assert worker["failed"] == 1
    assert worker["completed"] >= 1
    assert [item["worker"] for item in view["live"]["registered"]] == [worker["worker"]]
    assert view["live"]["problems"] == []
    assert [queue["consumers"] for queue in view["live"]["queues"].values()] == [1]
    out, _ = await place.command.run("workers", "--live")
    (row,) = [line for line in out.splitlines() if line.startswith(worker["worker"])]
    assert row.rstrip().endswith("yes")


async def test_a_report_of_the_last_minutes(place: Place) -> None:
    view = await place.command.document("outage", "--from", "10m")
    assert (view["verdict"], view["failedPermanently"], view["unexplained"]) == ("as-designed", 1, 0)
    assert view["accepted"] >= 2
    out, _ = await place.command.run("outage", "--from", "10m", "--to", "now")
    assert out.startswith("# Outage report, ")
    assert "**As designed: " in out
    assert "| tasks that failed for good | 1 |" in out
    await place.command.run("outage", "--from", "2d", code=2)


async def test_a_task_is_watched_until_it_has_ended(place: Place) -> None:
    watching = asyncio.create_task(place.lines("watched"))
    await asyncio.sleep(0)
    await place.submit("watched")
    told = await watching
    assert sorted(line["fact"] for line in told) == sorted(COMPLETED)
    assert [line["offset"] for line in told] == sorted(line["offset"] for line in told)
    assert [line["fact"] for line in await place.lines("broken", code=1)][-1] == "TaskFailedPermanently"


@asynccontextmanager
async def watching(place: Place) -> AsyncIterator[asyncio.subprocess.Process]:
    """`task watch` of everything, ended by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamapp.cli", "task", "watch", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=place.command.environment,
        cwd=PROJECT,
        preexec_fn=hear_interrupts,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_everything_is_watched_while_the_diary_dies_and_comes_back(place: Place) -> None:
    told: list[dict[str, Any]] = []
    said: list[str] = []
    numbers = itertools.count()

    async def read(stream: asyncio.StreamReader | None, take: Any) -> None:
        assert stream is not None
        async for line in stream:
            take(line.decode())

    def facts(task_id: str) -> list[str]:
        return sorted(line["fact"] for line in told if line["taskId"] == task_id)

    async def seen() -> bool:
        await place.submit(f"before-{next(numbers)}")  # those that are told before somebody watches are not seen
        return bool(told)

    async with watching(place) as process:
        reading = asyncio.gather(
            read(process.stdout, lambda line: told.append(json.loads(line))), read(process.stderr, said.append)
        )
        await until(seen, SECONDS, "the first fact is told", every=1.0)
        place.streams.kill()
        await until(lambda: any("gone away" in line for line in said), SECONDS, "the diary has gone away")
        place.streams = await place.life.made.started()
        await until(lambda: any("is back" in line for line in said), SECONDS, "the diary is back")
        await place.submit("after")
        await until(lambda: facts("after") == sorted(COMPLETED), SECONDS, "every fact after it is told")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 30) == 0
        await reading
        assert not any("Traceback" in line for line in said)
