"""`streamapp stuck`, `failures`, `workers`, `overview`: what the views say, their exit codes, and `--watch`."""

import asyncio
from typing import Any

import pytest
from rich.console import Console

from streamapp.cli import output, watching
from streamapp.cli.live import Live
from tests.support.memory_diary import SetClock, cluster
from tests.support.story import START, Story
from tests.unit.cli.conftest import Operator


def completed(number: int = 1) -> Story:
    story = Story(f"done-{number}")
    for step in (story.accepted, story.dispatched, story.started, story.completed):
        step()
    return story


async def test_what_is_stuck_is_told_and_not_well(operator: Operator) -> None:
    view = await operator.document("stuck", "--limit", "500", code=1)
    assert view == await operator.view("/v1/stuck?limit=500")
    assert len(view["tasks"]) == 12
    text = await operator.text("stuck", code=1)
    assert "12 tasks are stuck" in text
    for task in view["tasks"]:
        assert task["taskId"] in text
        assert task["why"] in text
    page = await operator.document("stuck", "--limit", "5", code=1)
    rest = await operator.document("stuck", "--all", "--cursor", page["next"], code=1)
    assert page["tasks"] + rest["tasks"] == view["tasks"]


async def test_nothing_stuck_is_well_unless_nobody_knows(operator: Operator) -> None:
    for process in operator.made.processes:
        process.clock.now = START
    assert "no tasks are stuck" in await operator.text("stuck")
    assert (await operator.document("stuck"))["tasks"] == []
    operator.made.processes[0].assigned = {}
    assert "nothing is known of partitions 1, 3" in await operator.text("stuck", code=1)


async def test_failures(operator: Operator) -> None:
    view = await operator.document("failures")
    assert view == await operator.view("/v1/failures")
    text = await operator.text("failures")
    assert f"{len(view['failures'])} kinds of failures" in text
    for one in view["failures"]:
        row = next(line.split() for line in text.splitlines() if line.split()[2:4] == [one["type"], one["errorType"]])
        assert row[:2] == [str(one["count"]), str(one["permanent"])]
        assert all(example in text for example in one["examples"])
    operator.made.processes[0].freshness.stale = True
    assert "stale: Kafka does not answer" in await operator.text("failures", code=1)


async def test_workers(operator: Operator) -> None:
    view = await operator.document("workers")
    assert view == await operator.view("/v1/workers")
    text = await operator.text("workers")
    for one in view["workers"]:
        (row,) = [line for line in text.splitlines() if line.startswith(one["worker"])]
        assert " min ago " in row
        assert f" {one['failureRate']:.1%} " in row
        assert all(task["taskId"] in row for task in one["running"][:3])
    assert any(one["running"] for one in view["workers"])
    assert "registered" not in text


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (Live({"q": {"messages": 3, "consumers": 1}}, [{"worker": "w1", "running": 2}], []), 0),
        (Live({"q": {"messages": 3, "consumers": 0}}, [{"worker": "new", "running": 2}], []), 1),
        (Live({"q": {"messages": 3, "consumers": 1}}, [], []), 1),
        (Live({}, [{"worker": "w1", "running": 0}], ["RabbitMQ is [gone]"]), 1),
    ],
)
async def test_workers_with_what_is_registered(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, told: Live, code: int
) -> None:
    """Redis and RabbitMQ themselves are asked in `tests/integration/test_commands.py`."""

    async def asked(_: Any) -> Live:
        return told

    monkeypatch.setattr("streamapp.cli.live.live", asked)
    view = await operator.document("workers", "--live", code=code)
    assert view["live"] == told.document()
    result = await operator.run("workers", "--live", code=code)
    rows = {line.split()[0]: line.split()[-1] for line in result.stdout.splitlines() if line}
    registered = {item["worker"] for item in told.registered}
    assert {name for name, last in rows.items() if last == "yes"} == registered
    assert rows["w0"] == "no"
    assert f"workers registered: {len(registered)}" in result.stdout
    for name, found in told.queues.items():
        assert f"queue {name}: 3 jobs waiting, {found['consumers']} consumers" in result.stdout
    for problem in told.problems:
        assert problem in result.stderr


async def test_overview_warns(operator: Operator) -> None:
    view = await operator.document("overview", code=1)
    assert view == await operator.view("/v1/overview")
    text = await operator.text("overview", code=1)
    for warning in view["warnings"]:
        assert f"warning {warning['slug']}: {warning['text']}" in text
    assert {"nothing-started", "outbox-waiting"} <= {warning["slug"] for warning in view["warnings"]}
    lines = [line.split() for line in text.splitlines()]
    for state, number in view["states"].items():
        assert [state, str(number)] in lines


async def test_overview_without_a_warning_is_well(monkeypatch: pytest.MonkeyPatch, operator: Operator) -> None:
    async with cluster(SetClock(START + 5_000)) as made:
        await made.tell(completed().facts)
        operator.proxy._target = ("127.0.0.1", int(made.processes[0].url.rsplit(":", 1)[1]))
        text = await operator.text("overview")
        assert "warning" not in text
        assert ["success", "rate,", "ever", "100.0%"] in [line.split() for line in text.splitlines()]


@pytest.mark.parametrize("command", [["task", "list"], ["stuck"], ["failures"], ["workers"], ["overview"]])
async def test_watch_shows_it_again_and_survives_the_diary(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    rounds: list[float] = []
    loop = asyncio.get_running_loop()

    async def gone() -> None:
        operator.proxy.refuse()

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 1:
            asyncio.run_coroutine_threadsafe(gone(), loop).result(10)
        if len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    text = await operator.text(*command, "--watch")
    assert rounds == [2.0, 2.0, 2.0]
    assert text.count("this is old, the diary gives no answer") == 2
    await operator.run(*command, "--watch", "--json", code=2)


async def test_watch_on_a_terminal_uses_a_screen_of_its_own(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    monkeypatch.setattr(output, "console", Console(highlight=False, force_terminal=True, width=100, height=30))
    text = await operator.text("stuck", "--watch")
    assert "\x1b[?1049h" in text
    assert "\x1b[?1049l" in text
    assert "12 tasks are stuck" in text


async def test_what_is_not_known_is_told_on_a_screen_too_small(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    operator.made.processes[0].assigned = {}
    monkeypatch.setattr(watching.time, "sleep", sleep)
    small = Console(highlight=False, force_terminal=True, width=100, height=12)
    monkeypatch.setattr(output, "console", small)
    text = await operator.text("task", "list", "--all", "--watch")
    tasks = len((await operator.view("/v1/tasks?limit=500"))["tasks"])
    shown = text.split("\x1b[H")[-1].split("\x1b[?1049l")[0]
    assert len(shown.splitlines()) <= 12
    assert "nothing is known of partitions 1, 3 now" in shown
    assert f"{tasks} tasks" in shown
    assert f"… {tasks + 3 - 12 + 1} lines have no room here" in shown
    assert "state" in shown


async def test_names_are_folded_and_not_cut_in_a_narrow_terminal(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "a-task-with-a-long-name-" * 4
    story = Story(long)
    story.accepted()
    await operator.made.tell(story.facts)
    narrow = Console(highlight=False, force_terminal=True, width=90, color_system=None)
    monkeypatch.setattr(output, "console", narrow)
    lines = (await operator.text("task", "list", "--state", "ACCEPTED", "--type", "EMAIL", "--all")).splitlines()
    assert all(len(line) <= 90 for line in lines)
    first, last = lines[0].index("task"), lines[0].index("state")
    assert long in "".join(line[first:last].strip() for line in lines[1:])
