"""Lists: filter and address are one, pages go back and forth, and what happens shows up without a reload."""

import json

import pytest

from tests.support.waiting import until
from tests.ui.conftest import World
from tests.ui.content import ODD_ID, ago, summary
from tests.ui.tab import Tab

ROWS = "document.querySelectorAll('tbody tr')"


async def told(world: World, task_id: str, state: str = "RUNNING") -> None:
    """A fact of this task comes over the stream."""
    fact = {"taskId": task_id, "type": "REPORT", "fact": "TaskExecutionStarted", "state": state, "attempt": 1}
    place = {"worker": "host-1", "partition": 3, "offset": 9000, "at": ago(0)}
    await world.stand_in.event("fact", json.dumps(fact | place))


async def live(tab: Tab) -> None:
    await tab.until("document.getElementById('live').dataset.mode === 'live'")


def boxes(state: str) -> str:
    return f"document.querySelector('input[value={state}]').checked"


async def test_what_is_ticked_becomes_the_address_and_the_question(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks"))
    await tab.click(".tick label", "Failed permanently")
    await tab.until("location.hash === '#/tasks?state=FAILED_PERMANENTLY'")
    await tab.until("new Set([...document.querySelectorAll('tbody .state')].map((one) => one.innerText)).size === 1")
    states = await tab.texts("tbody .state")
    assert states
    assert set(states) == {"Failed permanently"}
    await tab.click(".tick label", "Retry scheduled")
    await tab.until(
        "location.hash.includes('state=RETRY_SCHEDULED') && location.hash.includes('state=FAILED_PERMANENTLY')"
    )
    await tab.until("new Set([...document.querySelectorAll('tbody .state')].map((one) => one.innerText)).size === 2")
    assert set(await tab.texts("tbody .state")) == {"Failed permanently", "Retry scheduled"}


async def test_what_is_typed_becomes_the_address(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks"))
    await tab.run("document.querySelector('input[name=error]').focus()")
    await tab.type("Http503")
    await tab.press("Enter")
    await tab.until("location.hash === '#/tasks?error=Http503'")
    await tab.settled()
    assert all("Http503" in row for row in await tab.texts("tbody tr"))
    await tab.run("document.querySelector('select[name=age]').value = 'old:3600'")
    await tab.run("document.querySelector('select[name=age]').dispatchEvent(new Event('change', {bubbles: true}))")
    await tab.until("location.hash.includes('olderThan=3600') && location.hash.includes('error=Http503')")
    await tab.settled()
    await until(lambda: any("olderThan=3600" in asked for asked in world.stand_in.asked), 10, "it is asked for")


async def test_an_address_fills_the_form_and_back_goes_back(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING&type=REPORT&anomaly=true&youngerThan=77"))
    assert await tab.run(boxes("RUNNING"))
    assert not await tab.run(boxes("COMPLETED"))
    assert await tab.run("document.querySelector('input[name=type]').value") == "REPORT"
    assert await tab.run("document.querySelector('input[name=anomaly]').checked")
    assert await tab.run("document.querySelector('select[name=age]').value") == "young:77"
    await tab.click("a.button", "Clear")
    await tab.until("location.hash === '#/tasks'")
    await tab.until(f"!({boxes('RUNNING')})")
    await tab.run("history.back()")
    await tab.until(boxes("RUNNING"))
    assert await tab.run("document.querySelector('input[name=type]').value") == "REPORT"


async def test_the_focus_stays_on_what_was_ticked(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks"))
    await tab.run("document.querySelector('input[value=RUNNING]').focus()")
    await tab.press(" ")
    await tab.until("location.hash === '#/tasks?state=RUNNING'")
    await tab.settled()
    assert await tab.run("document.activeElement.value") == "RUNNING"


async def test_types_and_errors_are_suggested_when_somebody_is_about_to_type(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks"))
    await tab.run("document.querySelector('input[name=error]').focus()")
    await tab.until("[...document.querySelectorAll('datalist option')].some((one) => one.value === 'Http503')")


async def test_pages_follow_the_cursor_and_stand_still(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=COMPLETED&state=RUNNING&state=ACCEPTED&state=DISPATCHED&state=FAILED"))
    await tab.until(f"{ROWS}.length === 50")
    first = await tab.texts("tbody th")
    await tab.click(".pager a", "Next page")
    await tab.until("location.hash.includes('cursor=50')")
    await tab.settled()
    await tab.until("document.querySelector('.list-count').textContent.includes('stand still')")
    second = await tab.texts("tbody th")
    assert set(first).isdisjoint(second)
    assert await tab.run("document.activeElement.tagName") == "H1"
    await live(tab)
    asked = world.stand_in.count("/v1/tasks")
    await told(world, "evt-running")
    await tab.run("new Promise((done) => setTimeout(done, 1500))")
    assert world.stand_in.count("/v1/tasks") == asked
    await tab.run("history.back()")
    await tab.until(f"document.querySelector('tbody th').innerText.trim() === {json.dumps(first[0].strip())}")


async def test_a_list_is_updated_without_a_reload(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING"))
    await live(tab)
    await tab.run("window.notReloaded = true")
    await tab.run(f"window.kept = [...{ROWS}].find((row) => row.innerText.includes('evt-running'))")
    world.stand_in.tasks.insert(0, summary("evt-just-now", "RUNNING", 0) | {"changedAt": ago(0)})
    await told(world, "evt-just-now")
    await tab.until(f"{ROWS}[0].innerText.includes('evt-just-now')")
    assert await tab.run("window.notReloaded && window.kept.isConnected")


async def test_a_list_is_held_while_somebody_reads_it(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING"))
    await live(tab)
    await tab.run("document.querySelector('tbody a').focus()")
    world.stand_in.tasks.insert(0, summary("evt-just-now", "RUNNING", 0))
    await told(world, "evt-just-now")
    await tab.until("document.querySelector('.held').textContent.startsWith('Held')")
    assert "evt-just-now" not in await tab.text("tbody")
    await tab.run("document.activeElement.blur()")
    await tab.until(f"{ROWS}[0].innerText.includes('evt-just-now')")
    assert await tab.text(".held") == ""


async def test_paused_means_that_nothing_moves(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING"))
    await live(tab)
    await tab.click("#pause")
    await tab.until("document.getElementById('live').dataset.mode === 'paused'")
    await until(lambda: world.stand_in.listeners == 0)
    world.stand_in.tasks.insert(0, summary("evt-just-now", "RUNNING", 0))
    asked = world.stand_in.count("/v1/tasks")
    await tab.run("new Promise((done) => setTimeout(done, 2500))")
    assert world.stand_in.count("/v1/tasks") == asked
    await tab.click("#pause")
    await tab.until(f"{ROWS}[0].innerText.includes('evt-just-now')")


async def test_without_a_stream_the_page_asks_for_itself(tab: Tab, world: World) -> None:
    world.stand_in.streaming = False
    await tab.go(world.page("tasks?state=RUNNING"))
    await tab.until("document.getElementById('live').dataset.mode === 'polling'")
    world.stand_in.tasks.insert(0, summary("evt-just-now", "RUNNING", 0))
    await tab.until(f"{ROWS}[0].innerText.includes('evt-just-now')")
    assert any("503" in error for error in tab.errors)
    tab.errors.clear()


async def test_a_stream_that_ends_is_taken_up_again(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING"))
    await live(tab)
    await world.stand_in.end_streams()
    await tab.until("document.getElementById('live').dataset.mode === 'polling'")
    await live(tab)
    world.stand_in.tasks.insert(0, summary("evt-just-now", "RUNNING", 0))
    await told(world, "evt-just-now")
    await tab.until(f"{ROWS}[0].innerText.includes('evt-just-now')")
    tab.errors.clear()


async def test_what_was_skipped_is_asked_for(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING"))
    await live(tab)
    world.stand_in.tasks.insert(0, summary("evt-just-now", "RUNNING", 0))
    await world.stand_in.event("skipped", "1200")
    await tab.until(f"{ROWS}[0].innerText.includes('evt-just-now')")


@pytest.mark.parametrize("page", ["stuck", "retrying", "failures", "workers", "anomalies"])
async def test_every_list_leads_to_its_tasks(tab: Tab, world: World, page: str) -> None:
    await tab.go(world.page(page))
    links = await tab.run("[...document.querySelectorAll('tbody a')].map((one) => one.getAttribute('href'))")
    assert any(link.startswith("#/tasks/") for link in links)


async def test_retrying_is_in_the_order_of_what_is_due(tab: Tab, world: World) -> None:
    await tab.go(world.page("retrying"))
    due = await tab.run("[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('time').dateTime)")
    assert len(due) > 5
    assert due == sorted(due)


async def test_any_id_can_be_looked_up(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    await tab.run("document.getElementById('find-id').focus()")
    await tab.type(ODD_ID)
    await tab.press("Enter")
    await tab.until(f"document.querySelector('h1').innerText.trim() === {json.dumps(ODD_ID)}")
    await tab.settled()
    assert "Accepted" in await tab.text("main")
    await tab.run("location.reload()")
    await tab.until(f"document.querySelector('h1')?.innerText.trim() === {json.dumps(ODD_ID)}")
    await tab.settled()
