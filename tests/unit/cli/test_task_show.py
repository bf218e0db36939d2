"""`streamapp task show` and `task history`: options reach the view, attempts with gaps, texts that do no harm."""

import json
from typing import Any

import pytest

from streamapp.domain.policy import Policy
from streamapp.wire.json import MAX_DEPTH
from tests.support.story import Story
from tests.unit.cli.conftest import Operator

HOSTILE = "[red]bold[/red] \x1b[2J\x9b31m\r\x07 line\nbreak \u202eright to left\u2028"
"""Markup of ours, escape sequences, and what turns writing round."""

ODD = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x202E)]


def harmless(text: str) -> bool:
    return not any(odd in text for odd in ODD)


def troubled() -> Story:
    """A task that fails, is tried again, loses a worker, is given up, requeued and completes."""
    story = Story("troubled", Policy(max_attempts=2))
    story.accepted({"n": 1})
    story.dispatched()
    story.started(worker="w1")
    story.failed(worker="w1")
    story.retry_scheduled()
    story.dispatched(2)
    story.started(2, worker="w2")
    story.started(2, 2, worker="w3")
    story.failed(2, 2, worker="w3", retryable=False)
    story.failed_permanently(2)
    story.requeued(actor="ann", reason="mended")
    story.dispatched(3)
    story.started(3, 3, worker="w1")
    story.completed(3, 3, worker="w1", result={"sent": True})
    return story


@pytest.mark.parametrize("command", [["task", "show"], ["show"]])
async def test_show_has_every_fact_with_its_place(operator: Operator, command: list[str]) -> None:
    await operator.made.tell(troubled().facts)
    view = await operator.document(*command, "troubled")
    assert view == await operator.view("/v1/tasks/troubled")
    text = await operator.text(*command, "troubled")
    assert "troubled  COMPLETED  EMAIL" in text
    lines = text.splitlines()
    for fact in view["facts"]:
        assert any(f"[{fact['partition']}]@{fact['offset']} " in line and fact["fact"] in line for line in lines)
    assert "result: {'sent': True}" in text


async def test_history_has_attempts_and_the_gaps_between_their_steps(operator: Operator) -> None:
    await operator.made.tell(troubled().facts)
    lines = [line.split() for line in (await operator.text("task", "history", "troubled")).splitlines()]
    steps = [line for line in lines if line[:1] in (["1"], ["2"], ["3"])]
    assert [" ".join(line[2:]) for line in steps] == [
        "1.0 s dispatched",
        "1.0 s started w1",
        "1.0 s failed after 40 ms w1 Boom: no luck",
        "1.0 s retry scheduled Boom",
        "1.0 s dispatched",
        "1.0 s started w2",
        "1.0 s started again, start 2 w3",
        "1.0 s failed after 40 ms w3 Boom: no luck (cannot be mended by trying again)",
        "1.0 s failed for good Boom",
        "1.0 s requeued by ann mended",
        "1.0 s dispatched",
        "1.0 s started w1",
        "1.0 s completed after 40 ms w1",
    ]
    assert steps[0][0] == "1"
    assert [line for line in lines if line[1:] == ["accepted"]]
    assert len([line for line in lines if line and line[0].startswith("[")]) == 14
    assert await operator.document("task", "history", "troubled") == await operator.view("/v1/tasks/troubled")


async def test_a_rejected_submission_has_a_history(operator: Operator) -> None:
    assert "rejected" in await operator.text("task", "history", "refused")


async def test_options_reach_the_view(operator: Operator) -> None:
    await operator.made.tell(troubled().facts)
    now = await operator.document("task", "show", "troubled")
    place = f"{now['position']['partition']}:{now['facts'][3]['offset']}"
    for command in ("show", "history"):
        operator.asked.clear()
        then = await operator.document("task", command, "troubled", "--at", place)
        assert (then["state"], then["at"], len(then["facts"])) == ("FAILED", place, 4)
        assert operator.asked == [("/v1/tasks/troubled", [("at", place)])]
        moment = "2023-11-14T22:13:22+00:00"
        assert (await operator.document("task", command, "troubled", "--at", moment))["state"] == "RUNNING"
        operator.asked.clear()
        folded = f"{now['position']['partition']}:{now['position']['offset']}"
        await operator.document("task", command, "troubled", "--min-position", folded, "--wait", "2.5")
        assert operator.asked == [("/v1/tasks/troubled", [("wait", "2.5"), ("min_position", folded)])]
    assert f"as it was at {place}" in await operator.text("task", "show", "troubled", "--at", place)


async def test_waiting_ends_with_the_task_or_is_not_well(operator: Operator) -> None:
    await operator.document("task", "show", "task-9", "--wait", "0.1")
    await operator.document("task", "show", "refused", "--wait", "0.1")
    view = await operator.document("task", "show", "task-0", "--wait", "0.1", code=1)
    assert view["state"] == "ACCEPTED"


@pytest.mark.parametrize(
    ("options", "code", "slug"),
    [
        (["nobody"], 1, "task-unknown"),
        (["task-1", "--at", "yesterday"], 2, "invalid-parameter"),
        (["task-1", "--min-position", "x"], 2, "invalid-parameter"),
        (["task-1", "--at", "2023-11-14T22:13:22Z", "--wait", "1"], 2, "invalid-parameter"),
        (["task-1", "--at", "1970-01-01T00:00:00Z"], 1, "task-unknown"),
    ],
)
async def test_problems_are_told_with_their_exit_code(
    operator: Operator, options: list[str], code: int, slug: str
) -> None:
    assert (await operator.document("task", "show", *options, code=code))["type"] == f"/problems/{slug}"
    result = await operator.run("task", "show", *options, code=code)
    assert (result.stdout, bool(result.stderr)) == ("", True)


async def test_a_wait_is_at_most_a_minute(operator: Operator) -> None:
    for wrong in ("61", "-1", "nan", "inf"):
        await operator.run("task", "show", "task-1", "--wait", wrong, code=2)
    assert operator.asked == []


@pytest.mark.parametrize("task_id", ["a/b?c=d#e", "50%", "ünï cödé", "..", "[red]x[/red]", "-x"])
async def test_a_task_may_have_any_name(operator: Operator, task_id: str) -> None:
    story = Story(task_id)
    story.accepted()
    await operator.made.tell(story.facts)
    for command in (["task", "show"], ["task", "history"]):
        assert task_id in await operator.text(*command, "--", task_id)
    assert (await operator.document("task", "show", "--", task_id))["taskId"] == task_id


async def test_a_payload_as_deep_as_is_accepted_is_shown(operator: Operator) -> None:
    payload: Any = {}
    for _ in range(MAX_DEPTH - 1):
        payload = {"a": payload}
    story = Story("deep")
    story.accepted(payload)
    await operator.made.tell(story.facts)
    assert (await operator.document("task", "show", "deep"))["payload"] == payload


async def test_texts_of_somebody_else_do_no_harm(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story("hostile")
    story.accepted({"text": HOSTILE}, type=f"T{HOSTILE}")
    story.dispatched(queue=HOSTILE)
    story.started(worker=HOSTILE)
    story.tell(_failure(story, HOSTILE))
    story.failed_permanently()
    story.requeued(actor=HOSTILE, reason=HOSTILE)
    story.dispatched(2)
    story.started(2, 2, worker=HOSTILE)
    story.completed(2, 2, worker=HOSTILE, result={"text": HOSTILE})
    await operator.made.tell(story.facts)
    for command in (["task", "show", "hostile"], ["task", "history", "hostile"]):
        text = await operator.text(*command)
        assert harmless(text), command
        assert "[red]bold[/red] \\u001b[2J\\u009b31m" in text
    for command in (["task", "list"], ["failures"], ["workers"]):
        text = await operator.text(*command)
        assert harmless(text), command
        assert "[red]bold[/red] \\u001b" in text
    written = await operator.text("task", "show", "hostile", "--json")
    assert harmless(written)
    assert json.loads(written)["payload"] == {"text": HOSTILE}


def _failure(story: Story, text: str) -> Any:
    from streamapp.domain.facts import Token
    from streamapp.domain.outcome import Failed

    outcome = Failed(f"E{text}", text, False, True)
    return story.scribe.ended("hostile", 1, text, Token(1, 1), outcome, 40)
