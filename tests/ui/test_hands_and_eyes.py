"""By keyboard alone, in light and dark, on a narrow screen."""

from tests.ui.conftest import World
from tests.ui.content import FLAKY
from tests.ui.tab import Tab

INSIDE = """
document.activeElement === document.body || document.querySelector("dialog").contains(document.activeElement)
"""
LOOKS = """
[...document.querySelectorAll("tbody .state")].map((one) => [one.textContent, one.querySelector("svg").innerHTML])
"""
OUTLINE = "getComputedStyle(document.activeElement).outlineStyle"


async def test_the_first_step_leads_past_head_and_menu(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks?state=RUNNING"))
    await tab.press("Tab")
    assert await tab.focused() == "Skip to the content"
    assert await tab.run("document.activeElement.getBoundingClientRect().top >= 0")
    await tab.press("Enter")
    assert await tab.run("document.activeElement.id") == "main"
    assert await tab.run("location.hash") == "#/tasks?state=RUNNING"
    await tab.press("Tab")
    assert await tab.run("document.querySelector('main').contains(document.activeElement)")


async def test_every_stop_of_the_keyboard_is_seen(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks"))
    seen = []
    for _ in range(40):
        await tab.press("Tab")
        if await tab.run("document.activeElement === document.body"):
            break
        seen.append(await tab.focused())
        assert await tab.run(OUTLINE) == "solid", seen[-1]
    assert {"Skip to the content", "Pause", "Overview", "Failures", "Completed", "Apply"} <= {
        name.strip() for name in seen
    }


async def test_a_page_is_opened_by_keyboard_and_begins_at_its_heading(tab: Tab, world: World) -> None:
    await tab.go(world.page())
    await tab.run("document.querySelector('#menu-list a[data-name=failures]').focus()")
    await tab.press("Enter")
    await tab.until("document.querySelector('h1').textContent === 'Failures'")
    assert await tab.run("document.activeElement === document.querySelector('h1')")
    assert await tab.run("document.title") == "Failures · streamapp"
    assert await tab.run("document.querySelector('#menu-list a[aria-current=page]').dataset.name") == "failures"


async def test_a_dialog_holds_the_keyboard_and_gives_it_back(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks"))
    await tab.run("document.querySelector('.heading button').focus()")
    await tab.press("Enter")
    await tab.until("document.querySelector('dialog button.primary')")
    for _ in range(12):
        await tab.press("Tab")
        assert await tab.run(INSIDE)
    await tab.press("Escape")
    await tab.until("!document.querySelector('dialog')")
    assert "Requeue what failed" in await tab.focused()


async def test_the_menu_of_a_narrow_screen(tab: Tab, world: World) -> None:
    await tab.look(360)
    await tab.go(world.page("failures"))
    assert not await tab.run("document.getElementById('menu').checkVisibility()")
    await tab.run("document.getElementById('menu-button').focus()")
    await tab.press("Enter")
    assert await tab.run("document.getElementById('menu').checkVisibility()")
    assert await tab.run("document.getElementById('menu-button').getAttribute('aria-expanded')") == "true"
    await tab.press("Escape")
    assert not await tab.run("document.getElementById('menu').checkVisibility()")
    await tab.click("#menu-button")
    await tab.click("#menu-list a", "Workers")
    await tab.until("document.querySelector('h1').textContent === 'Workers'")
    assert not await tab.run("document.getElementById('menu').checkVisibility()")


async def test_rows_are_cards_on_a_narrow_screen_and_still_a_table(tab: Tab, world: World) -> None:
    await tab.look(360)
    await tab.go(world.page("tasks"))
    assert await tab.run("getComputedStyle(document.querySelector('tbody td')).display") == "grid"
    assert await tab.run("getComputedStyle(document.querySelector('tbody td'), '::before').content") == '"State"'
    nodes = (await tab.tell("Accessibility.getFullAXTree"))["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node.get("ignored")]
    assert roles.count("table") == 1
    assert roles.count("columnheader") == 9
    assert roles.count("rowheader") == 50


async def test_colours_follow_the_system_until_somebody_chooses(tab: Tab, world: World) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    await tab.look(theme="light")
    await tab.go(world.page("failures"))
    light = await tab.run(ground)
    await tab.look(theme="dark")
    dark = await tab.run(ground)
    assert light != dark
    await tab.run("document.getElementById('theme').value = 'light'")
    await tab.run("document.getElementById('theme').dispatchEvent(new Event('change'))")
    assert await tab.run(ground) == light
    await tab.go(world.page("failures"))
    assert await tab.run(ground) == light
    assert await tab.run("document.getElementById('theme').value") == "light"


async def test_states_are_told_apart_by_word_and_shape_too(tab: Tab, world: World) -> None:
    await tab.go(world.page("tasks"))
    looks = await tab.run(LOOKS)
    shapes = dict(looks)
    assert len(shapes) >= 7
    assert len(set(shapes.values())) == len(shapes)


async def test_a_screen_reader_is_told_what_the_pictures_show(tab: Tab, world: World) -> None:
    await tab.go(world.page(f"tasks/{FLAKY}"))
    nodes = (await tab.tell("Accessibility.getFullAXTree"))["nodes"]
    images = [
        node["name"]["value"]
        for node in nodes
        if node.get("role", {}).get("value") == "image" and not node.get("ignored")
    ]
    assert any(name.startswith("3 attempts.") for name in images)
    assert all(name for name in images)
