"""`streamapp task list`: every filter reaches the view, pages become one list, limits are told."""

from typing import Any

import pytest

from streamapp.cli import views
from tests.support.story import Story
from tests.unit.cli.conftest import Operator
from tests.unit.diary.conftest import NOW, lives

TASKS = {story.task_id: story.task for story in lives()}


def ids(view: Any) -> list[str]:
    return [task["taskId"] for task in view["tasks"]]


@pytest.mark.parametrize(
    ("options", "sent", "wanted"),
    [
        (["--state", "ACCEPTED"], [("state", "ACCEPTED")], lambda task: task.state == "ACCEPTED"),
        (
            ["--state", "RUNNING", "--state", "COMPLETED"],
            [("state", "RUNNING"), ("state", "COMPLETED")],
            lambda task: task.state in ("RUNNING", "COMPLETED"),
        ),
        (["--type", "HOOK"], [("type", "HOOK")], lambda task: task.type == "HOOK"),
        (["--error", "Boom"], [("error", "Boom")], lambda task: any("Failed" in e.fact for e in task.history)),
        (["--anomaly"], [("anomaly", "true")], lambda task: bool(task.anomalies)),
        (
            ["--worker", "w1"],
            [("worker", "w1")],
            lambda task: next((e.worker for e in reversed(task.history) if e.worker), None) == "w1",
        ),
        (["--older-than", "597"], [("olderThan", "597")], lambda task: NOW - task.history[-1].at > 597_000),
        (["--younger-than", "9.95m"], [("youngerThan", "597")], lambda task: NOW - task.history[-1].at <= 597_000),
    ],
)
async def test_every_filter_reaches_the_view(operator: Operator, options: list[str], sent: Any, wanted: Any) -> None:
    view = await operator.document("task", "list", *options)
    assert operator.asked == [("/v1/tasks", [*sent, ("limit", "50")])]
    assert set(ids(view)) == {task_id for task_id, task in TASKS.items() if wanted(task)}


async def test_all_filters_at_once(operator: Operator) -> None:
    options = ["--state", "FAILED_PERMANENTLY", "--type", "EMAIL", "--worker", "w1", "--error", "Boom"]
    view = await operator.document("task", "list", *options, "--older-than", "1m", "--younger-than", "1d")
    (_, asked), *_ = operator.asked
    names = ["state", "type", "worker", "error", "olderThan", "youngerThan", "limit"]
    assert [name for name, _ in asked] == names
    assert {task["state"] for task in view["tasks"]} == {"FAILED_PERMANENTLY"}


async def test_a_filter_may_have_any_letters(operator: Operator) -> None:
    odd = "a&b=c+d%20 é#/?[red]"
    story = Story("odd-type")
    story.accepted(type=odd)
    await operator.made.tell(story.facts)
    assert ids(await operator.document("task", "list", "--type", odd)) == ["odd-type"]
    assert odd in await operator.text("task", "list", "--type", odd)


async def test_pages_become_one_list(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE", 7)
    whole = await operator.view("/v1/tasks?limit=500")
    for options in (["--all"], ["--limit", "500"]):
        operator.asked.clear()
        assert await operator.document("task", "list", *options) == whole
        assert len(operator.asked) == 6
    operator.asked.clear()
    view = await operator.document("task", "list", "--limit", "10")
    assert view["tasks"] == whole["tasks"][:10]
    assert [dict(asked)["limit"] for _, asked in operator.asked] == ["7", "3"]
    rest = await operator.document("task", "list", "--all", "--cursor", view["next"])
    assert rest["tasks"] == whole["tasks"][10:]


async def test_a_list_that_goes_on_says_how(operator: Operator) -> None:
    text = await operator.text("task", "list", "--limit", "3")
    view = await operator.document("task", "list", "--limit", "3")
    assert "3 tasks" in text
    assert f"--cursor {view['next']}" in text
    assert "--cursor" not in await operator.text("task", "list", "--all")


async def test_no_task_is_an_answer(operator: Operator) -> None:
    assert "0 tasks" in await operator.text("task", "list", "--type", "NONE")


@pytest.mark.parametrize(
    "options", [["--state", "GONE"], ["--older-than", "soon"], ["--limit", "0"], ["--limit", "100001"], ["extra"]]
)
async def test_wrong_use(operator: Operator, options: list[str]) -> None:
    await operator.run("task", "list", *options, code=2)
    assert operator.asked == []


async def test_what_the_view_refuses_is_printed_and_wrong(operator: Operator) -> None:
    result = await operator.run("task", "list", "--cursor", "forged", code=2)
    assert "A parameter is not what this view reads: cursor has to be" in result.stderr
    assert result.stdout == ""
    problem = await operator.document("task", "list", "--cursor", "forged", code=2)
    assert (problem["status"], problem["type"]) == (400, "/problems/invalid-parameter")


async def test_what_is_missing_is_told_and_not_well(operator: Operator) -> None:
    left, right = operator.made.processes
    left.assigned = {left.url: {"changelog": [0, 2]}}
    view = await operator.document("task", "list", "--all", code=1)
    assert view["missingPartitions"] == [1, 3]
    text = await operator.text("task", "list", "--all", code=1)
    assert "nothing is known of partitions 1, 3 now" in text
    left.freshness.stale = True
    text = await operator.text("task", "list", "--all", code=1)
    assert "stale: Kafka does not answer; last known state as of 2023-11-14T22:23:20.000Z" in text
    assert (await operator.document("task", "list", code=1))["stale"] is True
    assert right.url


async def test_an_index_that_has_not_everything_says_so(operator: Operator) -> None:
    for process in operator.made.processes:
        for index in process.diary.indexes.ready().values():
            index.left_out["COMPLETED"] = 3
    view = await operator.document("task", "list", "--all")
    assert view["complete"] is False
    assert "not complete" in await operator.text("task", "list", "--all")


async def test_freshness_is_that_of_the_worst_page(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE", 20)
    real, told = views.client.ask_diary, []

    async def aging(*asked: Any, **more: Any) -> Any:
        status, view = await real(*asked, **more)
        told.append(view)
        first = len(told) == 1
        return status, view | {"stale": first, "missingPartitions": [2] if first else [1], "complete": not first}

    monkeypatch.setattr(views.client, "ask_diary", aging)
    view = await operator.document("task", "list", "--all", code=1)
    assert (view["stale"], view["missingPartitions"], view["complete"], view["next"]) == (True, [1, 2], False, None)
    assert len(told) == 3


async def test_a_diary_that_is_down_is_one_line(operator: Operator) -> None:
    operator.proxy.refuse()
    for command in (["task", "list"], ["task", "show", "x"], ["stuck"], ["failures"], ["workers"], ["task", "watch"]):
        result = await operator.run(*command, code=1)
        assert result.stdout == ""
        (line,) = result.stderr.strip().splitlines()
        assert line.startswith("streamapp: http://127.0.0.1:")
        assert line.endswith("Is it running? `streamapp status` tells")
