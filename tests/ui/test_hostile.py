"""What a payload says is shown and never done. What is large is cut."""

import json
from urllib.parse import quote

import pytest

from tests.ui.conftest import World
from tests.ui.content import LARGE, NASTY, NASTY_ID
from tests.ui.tab import Tab

SHOWN = """
document.querySelector("main").textContent + [...document.querySelectorAll("input")].map((one) => one.value).join()
"""
MARKUP = """(() => {
  try {
    document.createElement("p").innerHTML = "<b>x</b>";
    return "";
  } catch (error) {
    return error.name;
  }
})()"""
LINK = """({h}) => {
  try {
    h("a", window.wanted);
    return false;
  } catch {
    return true;
  }
}"""
NASTY_PAGE = f"tasks/{quote(NASTY_ID, safe='')}"


@pytest.mark.parametrize(
    "address",
    [
        "tasks",
        NASTY_PAGE,
        "failures",
        "retrying",
        "anomalies",
        f"tasks?type={quote(NASTY)}",
        "outages?from=2026-03-01T12:00:00Z&to=2026-03-01T13:00:00Z",
    ],
)
async def test_markup_is_text_everywhere(tab: Tab, world: World, address: str) -> None:
    await tab.go(world.page(address))
    await tab.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    await tab.until("[...document.querySelectorAll('details.json')].every((one) => one.querySelector('pre'))")
    shown = await tab.run(SHOWN)
    assert "<script>" in shown
    assert await tab.run("document.querySelectorAll('main script, main img, main iframe, main style').length") == 0
    assert await tab.run("document.title") != "owned"


async def test_the_browser_itself_would_refuse_markup_from_a_script(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    refused = await tab.run(MARKUP)
    assert refused == "TypeError"
    assert await tab.violations() == ["require-trusted-types-for trusted-types-sink"]
    await tab.run("window.violations.length = 0")
    tab.errors.clear()


async def test_two_hundred_kilobytes_are_folded_and_cut(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{LARGE}"))
    assert await tab.run("document.querySelectorAll('details.json pre').length") == 0
    assert await tab.run("document.querySelector('main').textContent.length") < 10_000
    await tab.click("details.json summary", "Payload")
    await tab.until("document.querySelector('details.json pre')")
    shown = await tab.run("document.querySelector('details.json pre').textContent")
    assert 19_000 < len(shown) <= 20_001
    assert "The first 20 kB of 200" in await tab.text("details.json")
    link = await tab.run("document.querySelector('details.json a').href")
    assert link == f"{world.diary}/v1/tasks/{LARGE}"
    assert await tab.run("document.querySelector('details.json a').rel") == "noopener noreferrer"
    assert await tab.run("document.documentElement.scrollWidth <= innerWidth")


async def test_what_is_folded_out_stays_folded_out_when_it_changes(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{LARGE}"))
    await tab.click("details.json summary", "All of it as JSON")
    await tab.until("document.querySelectorAll('details.json')[2].querySelector('pre')")
    asked = world.stand_in.count(f"/v1/tasks/{LARGE}")
    await tab.until("document.querySelectorAll('details.json[open]').length === 1")
    await tab.run("new Promise((done) => setTimeout(done, 5500))")
    assert world.stand_in.count(f"/v1/tasks/{LARGE}") > asked
    assert await tab.run("document.querySelectorAll('details.json[open] pre').length") == 1


async def test_links_of_a_strange_scheme_cannot_be_made(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    strange = {"href": "javascript:alert(1)", "onclick": "1", "style": "color: red", "srcdoc": "<b>"}
    for name, value in [*strange.items(), ("href", "data:text/html,x"), ("href", "//elsewhere.example/")]:
        await tab.run(f"window.wanted = {json.dumps({name: value})}")
        assert await tab.run(f"import('{world.diary}/ui/js/dom.js').then({LINK})"), name
