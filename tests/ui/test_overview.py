"""The overview: its numbers, warnings, charts, and that it keeps up."""

import asyncio
import json
import time

from tests.support.waiting import until
from tests.ui.conftest import World
from tests.ui.content import ago, overview
from tests.ui.tab import Tab


async def test_numbers_are_those_of_the_diary(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    tiles = await tab.texts(".tile")
    assert any("Accepted per second" in tile and "499" in tile for tile in tiles)
    assert any("Success rate" in tile and "99.3 %" in tile for tile in tiles)
    assert any("Open tasks" in tile and "147" in tile for tile in tiles)
    bars = await tab.texts(".bars-line")
    assert any("Completed" in bar and "184,203" in bar for bar in bars)
    assert any("Partition 3" in bar and "12" in bar for bar in bars)


async def test_a_warning_is_shown_and_spoken_once_and_goes_away(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    text = "Nothing has started for 40 s while 120 tasks wait"
    assert text in await tab.text(".warnings")
    assert await tab.run("document.getElementById('alarms-spoken').textContent") == text
    assert await tab.text("#alarm") == "1 warning"
    world.stand_in.instead["/v1/overview"] = overview() | {"warnings": []}
    await tab.until(
        "document.querySelector('.warnings').children.length === 0 && document.getElementById('alarm').hidden"
    )


async def test_the_menu_counts_what_needs_a_look(tab: Tab, world: World) -> None:
    await tab.go(world.page("failures"))
    await tab.until("document.getElementById('count-stuck').textContent === '2'")
    assert await tab.run("document.getElementById('count-retrying').textContent") == "14"


async def test_a_chart_can_be_read_by_keys_and_as_a_table(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    await tab.until("document.querySelector('svg.chart path[d]')")
    await tab.run("document.querySelector('svg.chart').focus()")
    await tab.press("Home")
    first = await tab.text(".readout")
    await tab.press("ArrowRight")
    second = await tab.text(".readout")
    assert "Accepted" in first
    assert "per second" in first
    assert first != second
    await tab.press("Escape")
    assert await tab.text(".readout") == ""
    await tab.click(".as-table summary")
    await tab.until("document.querySelector('.as-table table tbody tr')")
    assert len(await tab.texts(".as-table tbody tr")) >= 59


async def test_another_span_of_the_charts_is_in_the_address(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    await tab.click(".choice", "6 h")
    await tab.until("location.hash === '#/?window=360'")
    await tab.until("document.querySelector('.choice[aria-current]').textContent === '6 h'")
    await until(lambda: any("/v1/rates?window=360" in asked for asked in world.stand_in.asked), 10, "it is asked for")
    await tab.run("history.back()")
    await tab.until("document.querySelector('.choice[aria-current]').textContent === '1 h'")


async def test_latest_facts_come_as_they_happen(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    await tab.until("document.getElementById('live').dataset.mode === 'live'")
    fact = {"taskId": "evt-new", "type": "REPORT", "fact": "TaskAccepted", "state": "ACCEPTED", "attempt": None}
    place = {"worker": None, "partition": 3, "offset": 4711, "at": ago(0)}
    await world.stand_in.event("fact", json.dumps(fact | place))
    await tab.until("document.querySelector('.ticker').innerText.includes('evt-new')")
    assert "[3]@4711" in await tab.text(".ticker")


async def test_two_thousand_facts_a_second_are_drawn_together(tab: Tab, world: World) -> None:
    """What 500 tasks a second mean: at most one question and one drawing a second, and time to spare in between."""
    await tab.go(world.page())
    await tab.until("document.getElementById('live').dataset.mode === 'live'")
    await tab.run(
        "window.redrawn = 0; new MutationObserver(() => (window.redrawn += 1))"
        ".observe(document.querySelector('.ticker'), {subtree: true, childList: true, characterData: true})"
    )
    asked, busy, begun, offset = world.stand_in.count("/v1/overview"), await tab.busy_seconds(), time.monotonic(), 0
    seconds = 6
    while time.monotonic() - begun < seconds:
        for _ in range(100):
            offset += 1
            fact = {"taskId": f"evt-{offset % 1000}", "type": "REPORT", "fact": "TaskDispatched", "state": "DISPATCHED"}
            place = {"attempt": 1, "worker": None, "partition": 3, "offset": 5000 + offset, "at": ago(0)}
            await world.stand_in.event("fact", json.dumps(fact | place), id=f"3:{5000 + offset}")
        await asyncio.sleep(0.05)
    took = time.monotonic() - begun
    assert offset > 4000
    assert 3 <= world.stand_in.count("/v1/overview") - asked <= took + 2
    assert 3 <= await tab.run("window.redrawn") <= 3 * (took + 2)
    assert await tab.busy_seconds() - busy < took / 2
    await tab.until(f"document.querySelector('.ticker').innerText.includes('[3]@{5000 + offset}')", 5)
