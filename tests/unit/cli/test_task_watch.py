"""`streamapp task watch`: every fact once and in order, until the task has ended, also while the diary goes away."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.diary import event_stream, events
from streamapp.cli import facts_live
from streamapp.cli.event_source import OPEN
from streamapp.cli.facts_live import OneTask, watch_all
from streamapp.cli.views import Refused
from streamapp.settings import load
from streamapp.stream.partitions import partition_of
from tests.support.command import hear_interrupts
from tests.support.story import Story
from tests.support.waiting import until
from tests.unit.cli.conftest import Operator

Json = dict[str, Any]
PATIENCE = 60.0
"""Seconds: a process of its own starts slowly where much else runs."""

NAMES = ["TaskAccepted", "TaskDispatched", "TaskExecutionStarted", "TaskExecutionCompleted"]


class Seen:
    """What a watcher was told."""

    def __init__(self) -> None:
        self.facts: list[Json] = []
        self.said: list[str] = []

    @property
    def names(self) -> list[str]:
        return [fact["fact"] for fact in self.facts]

    async def reaches(self, number: int) -> None:
        await until(lambda: len(self.facts) >= number, PATIENCE, f"{number} facts are told")

    async def hears(self, text: str, times: int = 1) -> None:
        await until(lambda: sum(text in line for line in self.said) >= times, PATIENCE, f"{text!r} is said")


@pytest.fixture
def point(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Settings of this process that name the operator's diary."""
    for name, value in operator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("streamapp.cli.event_source.RETRY_SECONDS", 0.05)
    monkeypatch.setattr(facts_live, "AGAIN_SECONDS", 0.05)
    return operator


@asynccontextmanager
async def watching(task_id: str | None) -> AsyncIterator[tuple[Seen, "asyncio.Task[Any]"]]:
    seen = Seen()
    if task_id is None:
        work = asyncio.ensure_future(watch_all(load(), seen.facts.append, seen.said.append))
    else:
        work = asyncio.ensure_future(OneTask(load(), task_id, seen.facts.append, seen.said.append).watch())
    try:
        yield seen, work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def joined(operator: Operator) -> None:
    """The stream is open, and relayed from the other process."""
    await until(lambda: all(process.diary.events._watchers for process in operator.made.processes), PATIENCE)


def steps(task_id: str) -> list[Any]:
    story = Story(task_id)
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
    return story.facts


@pytest.mark.parametrize("task_id", ["one", "two", "three", "four"])  # in partitions of both processes
async def test_facts_of_one_task_until_it_has_completed(point: Operator, task_id: str) -> None:
    facts = steps(task_id)
    await point.made.tell(facts[:1])
    async with watching(task_id) as (seen, work):
        await seen.reaches(1)
        await joined(point)
        for number, fact in enumerate(facts[1:], 2):
            await point.made.tell([*steps(f"other-{number}"), fact])
            await seen.reaches(number)
        assert await asyncio.wait_for(work, PATIENCE) == "COMPLETED"
        assert seen.names == NAMES
        assert {fact["taskId"] for fact in seen.facts} == {task_id}
        assert seen.said == []


@pytest.mark.parametrize(
    ("task_id", "code", "state"),
    [("task-9", 0, "COMPLETED"), ("task-4", 1, "FAILED_PERMANENTLY"), ("refused", 1, "REJECTED")],
)
async def test_a_task_that_has_ended_is_told_at_once(operator: Operator, task_id: str, code: int, state: str) -> None:
    view = await operator.view(f"/v1/tasks/{task_id}")
    result = await operator.run("task", "watch", task_id, "--json", code=code)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines == [{"taskId": task_id, "type": view["type"], **fact} for fact in view["facts"]]
    assert result.stderr == ""
    result = await operator.run("task", "watch", task_id, code=code)
    assert len(result.stdout.splitlines()) == len(lines)
    assert result.stderr == f"{task_id}: {state}\n"


async def test_a_dispatch_that_is_told_behind_the_end_is_told(point: Operator) -> None:
    accepted, dispatched, started, completed = steps("quick")
    await point.made.tell([accepted])
    async with watching("quick") as (seen, work):
        await joined(point)
        await point.made.tell([started, completed])
        await seen.reaches(3)
        await asyncio.sleep(0.2)
        assert not work.done()
        await point.made.tell([dispatched])
        assert await asyncio.wait_for(work, PATIENCE) == "COMPLETED"
        assert sorted(seen.names) == sorted(NAMES)


async def test_a_dispatch_that_is_never_told_is_not_waited_for_for_ever(
    point: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_live, "LATE_SECONDS", 0.2)
    accepted, _, started, completed = steps("quick")
    await point.made.tell([accepted, started, completed])
    async with watching("quick") as (seen, work):
        assert await asyncio.wait_for(work, PATIENCE) == "COMPLETED"
        assert seen.names == ["TaskAccepted", "TaskExecutionStarted", "TaskExecutionCompleted"]


async def test_a_task_that_is_not_known_yet_is_waited_for(point: Operator) -> None:
    async with watching("new") as (seen, work):
        await seen.hears("does not know this task yet")
        await joined(point)
        await point.made.tell(steps("new"))
        assert await asyncio.wait_for(work, PATIENCE) == "COMPLETED"
        assert seen.names == NAMES


async def test_a_task_that_stays_unknown_is_a_problem(point: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_live, "UNKNOWN_SECONDS", 0.2)
    async with watching("nobody") as (_, work):
        with pytest.raises(Refused, match="Task unknown"):
            await asyncio.wait_for(work, PATIENCE)
    result = await point.run("task", "watch", "nobody", code=1)
    assert "Task unknown" in result.stderr
    assert result.stdout == ""


def _last_id(request: bytes) -> list[str]:
    """The places in the Last-Event-ID of a request."""
    found = re.search(rb"Last-Event-ID: (.*?)\r\n", request)
    return [] if found is None else found[1].decode().split(",")


@pytest.mark.parametrize("task_id", ["one", "two", "three", "four"])
async def test_one_task_while_the_diary_goes_away_and_comes_back(point: Operator, task_id: str) -> None:
    facts = steps(task_id)
    await point.made.tell(facts[:2])
    view = await point.view(f"/v1/tasks/{task_id}")
    place = f"{view['position']['partition']}:{view['position']['offset']}"
    async with watching(task_id) as (seen, work):
        await seen.reaches(2)
        await joined(point)
        point.proxy.refuse()
        point.proxy.cut()
        await seen.hears("the diary has gone away")
        await point.made.tell(facts[2:])
        await asyncio.sleep(0.2)
        assert not work.done()
        await point.proxy.start()
        assert await asyncio.wait_for(work, PATIENCE) == "COMPLETED"
        assert seen.names == NAMES
        assert [line for line in seen.said if "gone away" in line] == seen.said[:1]
        assert "the diary is back; going on behind " in seen.said[1]
        assert place in seen.said[1]
    requests = re.findall(rb"GET /v1/events/stream.*?\r\n\r\n", b"".join(point.sent), re.DOTALL)
    assert len(requests) == 2
    assert all(place in _last_id(request) for request in requests)


async def test_what_the_stream_does_not_tell_is_found_all_the_same(
    point: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: Any) -> AsyncIterator[Any]:
        yield OPEN
        await asyncio.Event().wait()

    monkeypatch.setattr(facts_live, "follow", silent)
    monkeypatch.setattr(facts_live, "LOOK_SECONDS", 0.1)
    facts = steps("quiet")
    await point.made.tell(facts[:1])
    async with watching("quiet") as (seen, work):
        await seen.reaches(1)
        await point.made.tell(facts[1:])
        assert await asyncio.wait_for(work, PATIENCE) == "COMPLETED"
        assert seen.names == NAMES


async def test_every_fact_once_while_the_diary_goes_away_and_comes_back(point: Operator) -> None:
    async with watching(None) as (seen, work):
        await joined(point)
        for number in range(12):  # in all partitions
            await point.made.tell(steps(f"before-{number}"))
        await seen.reaches(48)
        assert {fact["partition"] for fact in seen.facts} == {0, 1, 2, 3}
        point.proxy.refuse()
        point.proxy.cut()
        await seen.hears("the diary has gone away")
        for number in range(4):
            await point.made.tell(steps(f"away-{number}"))
        await point.proxy.start()
        await seen.hears("the diary is back; going on behind ")
        await joined(point)
        await point.made.tell(steps("after"))
        await seen.reaches(68)
        places = [(fact["partition"], fact["offset"]) for fact in seen.facts]
        assert len(set(places)) == len(places) == 68
        for task_id in ("before-0", "away-0", "away-3", "after"):
            assert [fact["fact"] for fact in seen.facts if fact["taskId"] == task_id] == NAMES
        assert len(seen.said) == 2
        assert not work.done()
    *_, last = re.findall(rb"Last-Event-ID: (\S+)", b"".join(point.sent))
    assert last.decode() in seen.said[1]


async def test_what_cannot_be_told_is_said(point: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    here = next(name for name in map(str, range(99)) if partition_of(name.encode(), 4) in (0, 2))
    monkeypatch.setattr(events, "KEPT", 3)
    async with watching(None) as (seen, _):
        await joined(point)
        await point.made.tell(steps("before"))
        await seen.reaches(4)
        point.proxy.refuse()
        point.proxy.cut()
        await seen.hears("gone away")
        await point.made.tell(steps("before"))
        await point.made.tell(steps("before"))
        await point.proxy.start()
        await seen.hears("not remembered any more: facts of partition ")
        monkeypatch.setattr(event_stream, "MAX_A_SECOND", 0)
        await joined(point)
        await point.made.tell(steps(here))
        watchers = point.made.processes[0].diary.events._watchers
        await until(lambda: not any(watcher.unsent for watcher in watchers), 10, "they are counted")
        monkeypatch.setattr(event_stream, "MAX_A_SECOND", 1_000)
        await seen.hears("too many to be told: ")


async def test_somebody_who_may_not_watch_is_told_why(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_WATCHERS", 0)
    result = await operator.run("task", "watch", code=1)
    assert "so many watch already" in result.stderr
    result = await operator.run("task", "watch", "task-0", "--json", code=1)
    assert [json.loads(line)["fact"] for line in result.stdout.splitlines()] == ["TaskAccepted"]
    assert "so many watch already" in result.stderr


@asynccontextmanager
async def process(operator: Operator, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamapp.cli", "task", "watch", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **operator.environment},
        preexec_fn=hear_interrupts,
    )
    try:
        yield made
    finally:
        if made.returncode is None:
            made.kill()
            await made.wait()


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--json",), 0), (("hostile",), 1)])
async def test_ctrl_c_ends_it_cleanly(operator: Operator, arguments: tuple[str, ...], code: int) -> None:
    story = Story("hostile")
    story.accepted(type="[red]T[/red]\x1b[2J")
    story.dispatched(queue="\x1b[2J")
    if arguments == ("hostile",):
        await operator.made.tell(story.facts)
    async with process(operator, *arguments) as made:
        await joined(operator)
        if arguments != ("hostile",):
            await operator.made.tell(story.facts)
        assert made.stdout is not None
        lines = [(await asyncio.wait_for(made.stdout.readline(), PATIENCE)).decode() for _ in range(2)]
        made.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(made.communicate(), PATIENCE)
        assert (made.returncode, out, err) == (code, b"", b"")
        assert not any("\x1b" in line for line in lines)
        read: Callable[[str], Any] = json.loads if arguments == ("--json",) else str
        told = [read(line) for line in lines]
        if arguments == ("--json",):
            assert [line["fact"] for line in told] == ["TaskAccepted", "TaskDispatched"]
            assert told[0]["type"] == "[red]T[/red]\x1b[2J"
        else:
            assert ["TaskAccepted" in told[0], "TaskDispatched" in told[1]] == [True, True]
            assert "\\u001b[2J" in told[1]
