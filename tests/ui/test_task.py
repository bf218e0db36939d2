"""The page of one task: its life as a picture, every attempt and fact, the past, and what comes next."""

import json

from tests.support.waiting import until
from tests.ui import histories
from tests.ui.conftest import World
from tests.ui.content import FLAKY, PERMANENT, REJECTED, RUNNING, ago
from tests.ui.tab import Tab


async def test_every_fact_stands_with_its_place_worker_and_time(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{FLAKY}"))
    facts = histories.flaky()["facts"]
    rows = [row for row in await tab.texts("tbody tr") if "@" in row and "as of then" in row]
    assert len(rows) == len(facts)
    for row, fact in zip(rows, facts, strict=True):
        assert fact["fact"] in row
        assert f"[{fact['partition']}]@{fact['offset']}" in row
        assert fact["worker"] is None or fact["worker"] in row
        assert ":" in row


async def test_the_picture_has_every_span_and_says_so_in_words(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{FLAKY}"))
    await tab.until("document.querySelector('svg.life rect.life-run')")
    kinds = await tab.run(
        "[...document.querySelectorAll('svg.life rect[class^=life-span]')].map((one) => one.classList[1])"
    )
    assert kinds.count("life-run") == 3
    assert kinds.count("life-lost") == 1
    assert kinds.count("life-gap") == 2
    assert kinds.count("life-queue") == 3
    said = await tab.run("document.querySelector('svg.life title').textContent")
    assert said.startswith("3 attempts. In all 15.4 s, of which waiting")
    assert "lost 10.3 s" in said
    assert await tab.run("document.querySelectorAll('svg.life .life-odd').length") == 1


async def test_the_picture_is_evened_out_or_true_to_scale(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{FLAKY}"))
    widths = "[...document.querySelectorAll('svg.life rect.life-run')].map((one) => one.width.baseVal.value)"
    assert "Not to scale" in await tab.text(".life-foot")
    evened = await tab.run(widths)
    assert min(evened) > 15
    await tab.click("button", "Show true to scale")
    true = await tab.run(widths)
    assert min(true) < 5
    assert true != evened


async def test_anomalies_are_named_where_they_happened(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{FLAKY}"))
    assert "an outcome after the end does not count" in await tab.text("main")
    assert len(await tab.texts("tbody .odd")) == 1


async def test_what_is_expected_next_and_by_when(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{RUNNING}"))
    assert "outcome by" in await tab.text(".summary")
    world.stand_in.tell(RUNNING, lambda: histories.running() | {"expected": {"what": "outcome", "by": ago(30)}})
    await tab.until("document.querySelector('.summary').innerText.includes('(overdue)')", 20)


async def test_an_outcome_shows_up_without_a_reload(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{RUNNING}"))
    await tab.until("document.getElementById('live').dataset.mode === 'live'")
    await tab.run("window.notReloaded = true")
    assert "Running" in await tab.text(".summary")
    world.stand_in.tell(RUNNING, histories.completed_running)
    fact = {"taskId": RUNNING, "type": "X", "fact": "TaskExecutionCompleted", "state": "COMPLETED", "attempt": 1}
    await world.stand_in.event("fact", json.dumps(fact | {"worker": "w", "partition": 3, "offset": 1021, "at": ago(0)}))
    await tab.until("document.querySelector('.summary').innerText.includes('Completed')", 4)
    assert await tab.run("window.notReloaded")


async def test_the_past_of_a_task(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{FLAKY}"))
    await tab.click("tbody a", "as of then")
    await tab.until("location.hash.endsWith('?at=3%3A1000')")
    await tab.settled()
    assert "This is the past" in await tab.text("main")
    await until(lambda: any(asked.endswith("?at=3%3A1000") for asked in world.stand_in.asked), 10, "it is asked for")
    await tab.click("a", "Show it as it is now")
    await tab.until("!document.querySelector('main').innerText.includes('This is the past')")


async def test_a_past_that_is_not_kept_is_said(tab: Tab, world: World) -> None:
    world.stand_in.instead[f"/v1/tasks/{FLAKY}"] = 422
    await tab.go(world.page(f"tasks/{FLAKY}?at=3:1000"))
    assert "facts of this task were dropped" in await tab.text("main")
    assert any("422" in error for error in tab.errors)
    tab.errors.clear()


async def test_a_task_that_is_not_there_yet_shows_up_when_it_is(tab: Tab, world: World) -> None:
    world.stand_in.instead["/v1/tasks/evt-later"] = 404
    await tab.go(world.page("tasks/evt-later"))
    assert "Task unknown" in await tab.text("main")
    world.stand_in.instead.pop("/v1/tasks/evt-later")
    world.stand_in.tell("evt-later", lambda: histories.plain("evt-later"))
    await tab.until("document.querySelector('.summary')?.innerText.includes('Accepted')", 10)
    tab.errors.clear()


async def test_a_partition_that_recovers_is_asked_again(tab: Tab, world: World) -> None:
    world.stand_in.instead[f"/v1/tasks/{FLAKY}"] = 503
    await tab.go(world.page(f"tasks/{FLAKY}"))
    assert "Partition recovering" in await tab.text("main")
    world.stand_in.instead.clear()
    await tab.until("document.querySelector('.summary')", 4)
    tab.errors.clear()


async def test_a_refused_submission_has_neither_type_nor_policy(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{REJECTED}"))
    assert "Rejected" in await tab.text(".summary")
    assert "an address is wanted" in await tab.text("main")
    assert not await tab.run("document.querySelector('svg.life').checkVisibility()")


async def test_only_what_failed_permanently_can_be_requeued(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{FLAKY}"))
    assert await tab.run("[...document.querySelectorAll('h1 ~ * button')].every((one) => one.hidden)")
    await tab.go(world.page(f"tasks/{PERMANENT}"))
    assert await tab.run("[...document.querySelectorAll('h1 ~ * button')].some((one) => !one.hidden)")
