"""The pure parts of the pages' scripts, asked directly in the browser."""

import json
from typing import Any

import pytest

from tests.ui.conftest import World
from tests.ui.tab import Tab


@pytest.fixture
async def call(tab: Tab, world: World) -> Any:
    """`await call("format.js", "duration", 1500)`: what a function of a module returns."""
    await tab.go(world.page("somewhere"))

    async def called(module: str, function: str, *arguments: Any) -> Any:
        given = ", ".join(json.dumps(argument) for argument in arguments)
        return await tab.run(f"import('{world.diary}/ui/js/{module}').then((all) => all.{function}({given}))")

    return called


async def test_numbers_in_words(call: Any) -> None:
    for value, words in {
        0: "0 ms",
        12: "12 ms",
        999.6: "1000 ms",
        1500: "1.5 s",
        61_000: "1 min 1 s",
        3_600_000: "1 h",
    }.items():
        assert await call("format.js", "duration", value) == words
    assert await call("format.js", "duration", None) == "–"
    assert await call("format.js", "duration", 90_061_000) == "1 d 1 h"
    for value, words in {
        0: "0 %",
        1: "100 %",
        0.9996: "99.96 %",
        0.99999: "99.99 %",
        0.0002: "< 0.1 %",
        0.5: "50 %",
    }.items():
        assert await call("format.js", "percent", value) == words
    assert await call("format.js", "count", 184203) == "184,203"
    assert await call("format.js", "rate", 3.64) == "3.6"
    assert await call("format.js", "atMost", None, 3) == "> 5 min"
    assert await call("format.js", "atMost", None, 0) == "–"
    assert await call("format.js", "words", "behaved-asDesigned") == "behaved as designed"


async def test_a_cut_never_halves_a_character(call: Any) -> None:
    assert await call("format.js", "cut", "ab😀c", 3) == "ab…"
    assert await call("format.js", "cut", "abc", 3) == "abc"


async def test_addresses_keep_any_id(call: Any) -> None:
    for task_id in ("evt-1", "a/b?c#d", "50 % 😀", "..", "a b+c&d"):
        address = await call("router.js", "taskHref", task_id)
        assert (await call("router.js", "parse", address))["id"] == task_id
    assert await call("router.js", "parse", "#/tasks/%E0%A4%A") is None
    assert (
        await call("router.js", "href", "tasks", {"state": ["A", "B"], "type": "", "cursor": None})
        == "#/tasks?state=A&state=B"
    )


async def test_axes_are_round(call: Any) -> None:
    for value, top in {0: 1, 0.3: 1, 7: 10, 420: 500, 18_001: 20_000, 240: 250}.items():
        assert await call("chart/scale.js", "roundUp", value) == top
    assert await call("chart/scale.js", "ticks", 500) == [0, 200, 400]
    assert await call("chart/scale.js", "path", [[0, 1], None, [2, 3], [4, 5]]) == "M0.0 1.0M2.0 3.0L4.0 5.0"


async def test_the_minute_that_goes_on_is_a_rate_of_what_has_passed_of_it(call: Any) -> None:
    series = [{"at": "2026-03-01T12:00:00Z", "accepted": 600}, {"at": "2026-03-01T12:01:00Z", "accepted": 300}]
    at = 1_772_366_460_000  # 12:01:00
    later = await call("overview/rates.js", "perSecond", {"stepSeconds": 60, "series": series}, at + 30_000)
    assert [point["values"]["accepted"] for point in later] == [10, 10]
    early = await call("overview/rates.js", "perSecond", {"stepSeconds": 60, "series": series}, at + 2_000)
    assert [point["values"]["accepted"] for point in early] == [10]


def _fact(name: str, at: int, attempt: int | None = None, worker: str | None = None, **detail: Any) -> dict[str, Any]:
    return {"fact": name, "at": at, "attempt": attempt, "worker": worker, "offset": at, "detail": detail}


async def spans(call: Any, facts: list[dict[str, Any]], now: int, **task: Any) -> list[list[Any]]:
    life = await call("timeline/model.js", "lifeOf", {"facts": facts, **task}, now)
    return [
        [lane["attempt"], span["kind"], span["from"], span["to"]] for lane in life["lanes"] for span in lane["spans"]
    ]


async def test_a_life_is_cut_into_spans(call: Any) -> None:
    facts = [
        _fact("TaskAccepted", 0),
        _fact("TaskDispatched", 10, 1),
        _fact("TaskExecutionStarted", 30, 1, "a"),
        _fact("TaskExecutionFailed", 50, 1, "a"),
        _fact("TaskRetryScheduled", 55, 2, notBefore=1050),
        _fact("TaskDispatched", 1060, 2),
        _fact("TaskExecutionStarted", 1061, 2, "b"),
    ]
    assert await spans(call, facts, 2000, state="RUNNING", attempt=2) == [
        [1, "wait", 0, 10],
        [1, "queue", 10, 30],
        [1, "run", 30, 50],
        [2, "gap", 55, 1050],
        [2, "wait", 1050, 1060],
        [2, "queue", 1060, 1061],
        [2, "run", 1061, 2000],
    ]


async def test_a_dispatch_told_after_the_start_makes_no_span_before_it(call: Any) -> None:
    facts = [
        _fact("TaskAccepted", 0),
        _fact("TaskExecutionStarted", 5, 1, "a"),
        _fact("TaskDispatched", 9, 1),
        _fact("TaskExecutionCompleted", 20, 1, "a"),
    ]
    found = await spans(call, facts, 99, state="COMPLETED", attempt=1, endedAt=20)
    assert found == [[1, "wait", 0, 5], [1, "run", 5, 20]]


async def test_a_start_without_an_outcome_is_lost(call: Any) -> None:
    facts = [
        _fact("TaskAccepted", 0),
        _fact("TaskDispatched", 1, 1),
        _fact("TaskExecutionStarted", 2, 1, "a"),
        _fact("TaskExecutionStarted", 40, 1, "b"),
        _fact("TaskExecutionCompleted", 50, 1, "b"),
    ]
    found = await spans(call, facts, 99, state="COMPLETED", attempt=1, endedAt=50)
    assert found[2:] == [[1, "lost", 2, 40], [1, "run", 40, 50]]


async def test_any_facts_make_a_picture(call: Any) -> None:
    """Out of order, without an acceptance, with facts nobody has heard of."""
    assert await call("timeline/model.js", "lifeOf", {"facts": []}, 5) is None
    strange = [_fact("TaskSomethingElse", 7, 9), _fact("TaskExecutionCompleted", 3, 2, "x"), _fact("TaskRejected", 1)]
    life = await call("timeline/model.js", "lifeOf", {"facts": strange}, 5)
    assert [lane["attempt"] for lane in life["lanes"]] == [2, 9]
    assert life["from"] <= life["to"]
