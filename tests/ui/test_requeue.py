"""Requeue: asks first, shows what would happen, sends in groups, tells what became of it."""

import time
from typing import Any

from tests.support.waiting import until
from tests.ui import histories
from tests.ui.conftest import World
from tests.ui.content import PERMANENT, summary
from tests.ui.tab import Tab


def failed(number: int) -> list[dict[str, Any]]:
    return [summary(f"0193b-failed-{index:05d}", "FAILED_PERMANENTLY", index) for index in range(number)]


async def fill(tab: Tab, actor: str = "anna", reason: str = "the receiver is back") -> None:
    await tab.run("document.querySelector('dialog input[name=actor]').value = ''")
    await tab.run("document.querySelector('dialog input[name=actor]').focus()")
    await tab.type(actor)
    await tab.press("Tab")
    await tab.type(reason)


async def test_nothing_is_sent_before_it_is_confirmed(tab: Tab, world: World) -> None:
    world.stand_in.tasks = [*failed(137), *world.stand_in.tasks]
    await tab.go(world.page("tasks?type=REPORT"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog button.primary')")
    wanted = sum(task["state"] == "FAILED_PERMANENTLY" and task["type"] == "REPORT" for task in world.stand_in.tasks)
    assert f"{wanted} tasks" in await tab.text("dialog")
    assert f"REPORT: {wanted}" in await tab.text("dialog")
    await tab.click("dialog button.primary")  # neither name nor reason is given: the browser asks for them
    await tab.run("new Promise((done) => setTimeout(done, 300))")
    await tab.click("dialog button", "Cancel")
    await tab.until("!document.querySelector('dialog')")
    assert world.stand_in.requeues == []
    assert not [request for request in tab.requests if world.api in request]
    assert "Requeue what failed" in await tab.focused()


async def test_one_task(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{PERMANENT}"))
    await tab.click("h1 ~ * button", "Requeue")
    await tab.until("document.querySelector('dialog[open]')")
    await fill(tab)
    assert world.stand_in.requeues == []
    world.stand_in.tell(PERMANENT, lambda: histories.permanent(requeued=True))
    await tab.press("Enter")
    await tab.until("document.querySelector('dialog').innerText.includes('1 task requeued')")
    assert world.stand_in.requeues == [{"taskIds": [PERMANENT], "actor": "anna", "reason": "the receiver is back"}]
    await tab.click("dialog button", "Close")
    await tab.until("document.querySelector('.summary').innerText.includes('Requeued')")
    await until(lambda: any("min_position=3%3A2000" in asked for asked in world.stand_in.asked), 10, "it is asked for")
    assert "anna" in await tab.text("main")


async def test_all_that_a_filter_shows_in_groups_and_not_at_once(tab: Tab, world: World) -> None:
    world.stand_in.tasks = failed(120)
    await tab.go(world.page("tasks?state=FAILED_PERMANENTLY"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog button.primary')")
    assert "120 tasks" in await tab.text("dialog")
    await fill(tab)
    begun = time.monotonic()
    await tab.press("Enter")
    await tab.until("document.querySelector('dialog').innerText.includes('120 tasks requeued')")
    assert time.monotonic() - begun >= 2
    assert [len(group["taskIds"]) for group in world.stand_in.requeues] == [50, 50, 20]
    sent = [task_id for group in world.stand_in.requeues for task_id in group["taskIds"]]
    assert sent == [task["taskId"] for task in world.stand_in.tasks]
    assert {group["actor"] for group in world.stand_in.requeues} == {"anna"}


async def test_at_most_a_thousand(tab: Tab, world: World) -> None:
    world.stand_in.tasks = failed(1_250)
    world.stand_in.page_size = 100
    await tab.go(world.page("tasks"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog button.primary')")
    said = await tab.text("dialog")
    assert "1,000 tasks" in said
    assert "There are more than 1,000" in said
    assert world.stand_in.requeues == []


async def test_it_stops_where_it_is_refused_and_goes_on_when_told_to(tab: Tab, world: World) -> None:
    world.stand_in.tasks = failed(120)
    world.stand_in.refuse_requeues_from = 2
    await tab.go(world.page("tasks"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog button.primary')")
    await fill(tab)
    await tab.press("Enter")
    await tab.until("document.querySelector('dialog').innerText.includes('Kafka is known to be down')")
    assert "50 tasks requeued" in await tab.text("dialog")
    world.stand_in.refuse_requeues_from = 10**9
    await tab.click("dialog button", "Send the other 70")
    await tab.until("document.querySelector('dialog').innerText.includes('70 tasks requeued')")
    assert [len(group["taskIds"]) for group in world.stand_in.requeues] == [50, 50, 50, 20]
    tab.errors.clear()


async def test_what_nobody_knows_is_sent_again_as_the_same_request(tab: Tab, world: World) -> None:
    world.stand_in.tasks = failed(60)
    world.stand_in.refuse_requeues_from, world.stand_in.refusal = 1, "unknown"
    await tab.go(world.page("tasks"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog button.primary')")
    await fill(tab)
    await tab.press("Enter")
    await tab.until("document.querySelector('dialog').innerText.includes('Of 50 tasks nobody knows')")
    world.stand_in.refuse_requeues_from = 10**9
    await tab.click("dialog button", "Send the same 60 again")
    await tab.until("document.querySelector('dialog').innerText.includes('60 tasks requeued')")
    first, *others = world.stand_in.requeues
    assert others[0]["taskIds"] == first["taskIds"]
    (key,) = set(world.stand_in.keys)
    assert key
    tab.errors.clear()


async def test_an_api_that_does_not_answer_is_said_so(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{PERMANENT}"))
    await tab.tell("Network.setBlockedURLs", urls=[f"{world.api}/*"])
    await tab.click("h1 ~ * button", "Requeue")
    await tab.until("document.querySelector('dialog[open]')")
    await fill(tab)
    await tab.press("Enter")
    await tab.until("document.querySelector('dialog').innerText.includes('STREAMAPP_API__DASHBOARD_ORIGINS')")
    assert "Of 1 task nobody knows" in await tab.text("dialog")
    assert world.stand_in.requeues == []
    tab.errors.clear()


async def test_a_filter_that_shows_none_cannot_requeue_any(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING"))
    assert await tab.run("document.querySelector('.heading button').disabled")
    world.stand_in.tasks = []
    await tab.go(world.page("tasks"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog').innerText.includes('Nothing to requeue')")


async def test_missing_partitions_are_said_before_anything_is_sent(tab: Tab, world: World) -> None:
    world.stand_in.instead["/v1/tasks"] = {
        "tasks": failed(3),
        "next": None,
        "stale": False,
        "asOf": None,
        "missingPartitions": [2, 5],
    }
    await tab.go(world.page("tasks"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog button.primary')")
    assert "Nobody answered for partitions 2, 5" in await tab.text("dialog")


async def test_a_stop_is_heard_between_two_groups(tab: Tab, world: World) -> None:
    world.stand_in.tasks = failed(200)
    await tab.go(world.page("tasks"))
    await tab.click("button", "Requeue what failed")
    await tab.until("document.querySelector('dialog button.primary')")
    await fill(tab)
    await tab.press("Enter")
    await until(lambda: len(world.stand_in.requeues) == 1)
    await tab.click("dialog button", "Stop after this group")
    await tab.until("document.querySelector('dialog').innerText.includes('Stopped: 150 tasks not sent')")
    assert len(world.stand_in.requeues) == 1
