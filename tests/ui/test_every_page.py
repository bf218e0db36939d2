"""Each page at both widths in both themes: no error, nothing refused by the policy, no objection of an audit."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.ui.conftest import World
from tests.ui.content import FLAKY, LARGE, NASTY_ID, PERMANENT, REJECTED, RUNNING
from tests.ui.tab import Tab

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
SCREENS = [(1440, "light"), (1440, "dark"), (360, "light"), (360, "dark")]
PAGES = {
    "overview": "",
    "tasks": "tasks",
    "tasks-filtered": "tasks?state=FAILED_PERMANENTLY&error=Http503",
    "task-completed": f"tasks/{FLAKY}",
    "task-running": f"tasks/{RUNNING}",
    "task-failed": f"tasks/{PERMANENT}",
    "task-past": f"tasks/{FLAKY}?at=3:1014",
    "task-rejected": f"tasks/{REJECTED}",
    "task-nasty": f"tasks/{quote(NASTY_ID, safe='')}",
    "task-large": f"tasks/{LARGE}",
    "failures": "failures",
    "stuck": "stuck",
    "retrying": "retrying",
    "workers": "workers",
    "latencies": "latencies",
    "anomalies": "anomalies",
    "outages": "outages",
    "outage-report": "outages?from=2026-03-01T12:00:00Z&to=2026-03-01T13:00:00Z",
    "no-such-page": "somewhere",
}


@pytest.mark.parametrize("name", PAGES)
async def test_page(tab: Tab, world: World, screenshots: Path | None, name: str) -> None:
    for width, theme in SCREENS:
        await tab.look(width, theme)
        await tab.go(world.page(PAGES[name]))
        await tab.until("document.querySelectorAll('svg.life:not([viewBox]), svg.chart:not([viewBox])').length === 0")
        if screenshots is not None:
            await tab.screenshot(screenshots / f"{name}-{width}-{theme}.png")
        assert await tab.run(AUDIT) == [], (width, theme)
        assert tab.errors == [], (width, theme)
        assert await tab.violations() == [], (width, theme)


async def test_everything_comes_from_the_diary(tab: Tab, world: World) -> None:
    for address in PAGES.values():
        await tab.go(world.page(address))
    inline = ("GET about:", "GET data:")  # the browser's own pictures of its controls among them
    asked = [request for request in tab.requests if not request.startswith(inline)]
    assert asked
    assert [request for request in asked if not request.startswith(f"GET {world.diary}/")] == []


async def test_the_root_leads_to_the_overview(tab: Tab, world: World) -> None:
    await tab.go(f"{world.diary}/")
    assert await tab.run("location.href") == f"{world.diary}/ui/"
    assert await tab.text("h1") == "Overview"
