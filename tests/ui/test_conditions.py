"""Empty, loading, failed, stale, incomplete: every condition of an answer has its words."""

import pytest

from tests.ui.conftest import World
from tests.ui.content import limits, outage, overview
from tests.ui.tab import Tab

EMPTY = {
    "tasks": ("/v1/tasks", {"tasks": [], "next": None}, "No task fits this filter"),
    "stuck": ("/v1/stuck", {"tasks": [], "next": None}, "Nothing is stuck"),
    "retrying": ("/v1/retrying", {"tasks": [], "next": None}, "Nothing waits for a retry"),
    "failures": ("/v1/failures", {"failures": []}, "No attempt has failed"),
    "workers": ("/v1/workers", {"workers": []}, "No worker has been seen"),
    "anomalies": ("/v1/anomalies", {"anomalies": [], "next": None}, "No anomaly"),
    "latencies": ("/v1/latencies", {"byType": {}}, "Nothing measured"),
}
PATHS = {"": "/v1/overview", **{page: path for page, (path, _, _) in EMPTY.items()}}


@pytest.mark.parametrize("page", EMPTY)
async def test_nothing_there(tab: Tab, world: World, page: str) -> None:
    path, answer, words = EMPTY[page]
    world.stand_in.instead[path] = answer | limits()
    await tab.go(world.page(page))
    assert words in await tab.text("main")


async def test_a_system_in_which_nothing_has_happened_yet(tab: Tab, world: World) -> None:
    empty = {
        "states": {},
        "open": 0,
        "lastMinute": {},
        "perSecond": {},
        "successRate": None,
        "latencies": {},
        "warnings": [],
    }
    world.stand_in.instead["/v1/overview"] = empty | {"lag": {"total": 0, "byPartition": {}}} | limits()
    world.stand_in.instead["/v1/rates"] = {"stepSeconds": 60, "series": []} | limits()
    await tab.go(world.page())
    said = await tab.text("main")
    assert "No facts yet" in said
    assert "NaN" not in said
    assert "undefined" not in said


@pytest.mark.parametrize("page", PATHS)
async def test_out_of_date(tab: Tab, world: World, page: str) -> None:
    answer = overview() if page == "" else EMPTY[page][1]
    world.stand_in.instead[PATHS[page]] = answer | limits(stale=True)
    await tab.go(world.page(page))
    said = await tab.text(".said")
    assert "Kafka does not answer the diary" in said
    assert "2 min ago" in said


@pytest.mark.parametrize("page", PATHS)
async def test_a_partition_for_which_nobody_answered(tab: Tab, world: World, page: str) -> None:
    answer = overview() if page == "" else EMPTY[page][1]
    world.stand_in.instead[PATHS[page]] = answer | limits(missing=(3, 5))
    await tab.go(world.page(page))
    assert "Nobody answered for partitions 3, 5" in await tab.text(".said")
    assert page == "" or "Nothing on the partitions that answered" in await tab.text("main")


@pytest.mark.parametrize("page", PATHS)
async def test_no_answer_and_then_one(tab: Tab, world: World, page: str) -> None:
    world.stand_in.instead[PATHS[page]] = 500
    await tab.go(world.page(page))
    assert "Internal error" in await tab.text("main .notice-bad")
    world.stand_in.instead.clear()
    await tab.click("button", "Ask again")
    await tab.until("!document.querySelector('main .notice-bad') && !document.querySelector('[aria-busy]')")
    assert any("500" in error for error in tab.errors)
    tab.errors.clear()


async def test_what_was_shown_stays_when_it_cannot_be_renewed(tab: Tab, world: World) -> None:
    await tab.go(world.page("workers"))
    world.stand_in.instead["/v1/workers"] = 500
    await tab.until("document.querySelector('.said').innerText.includes('Not renewed')")
    assert "host-0-4711" in await tab.text("main")
    world.stand_in.instead.clear()
    await tab.until("document.querySelector('.said').innerText === ''")
    tab.errors.clear()


async def test_while_it_is_loading(tab: Tab, world: World) -> None:
    world.stand_in.delay = 0.7
    await tab.tell("Page.navigate", url=world.page("failures"))
    await tab.until("document.querySelector('.loading')")
    assert await tab.run("document.querySelector('.body').getAttribute('aria-busy')") == "true"
    assert await tab.run("document.querySelector('.loading .unseen').textContent") == "Loading"
    await tab.settled()
    assert await tab.run("document.querySelector('.loading')") is None


async def test_an_answer_to_an_old_question_is_not_shown(tab: Tab, world: World) -> None:
    world.stand_in.delay = 0.5
    await tab.go(world.page("tasks"))
    for state in ("RUNNING", "COMPLETED", "FAILED_PERMANENTLY"):
        await tab.run(f"location.hash = '#/tasks?state={state}'")
    await tab.settled()
    assert set(await tab.texts("tbody .state")) == {"Failed permanently"}


async def test_times_that_make_no_sense_are_not_asked_about(tab: Tab, world: World) -> None:
    for address, words in (
        ("outages?from=2026-03-01T13:00:00Z&to=2026-03-01T12:00:00Z", "The end must come after the beginning"),
        ("outages?from=2026-03-01T13:00:00Z&to=2026-03-03T12:00:00Z", "At most one day"),
    ):
        await tab.go(world.page(address))
        assert words in await tab.text("main")
    assert world.stand_in.count("/v1/outage") == 0


async def test_a_report_about_an_outage(tab: Tab, world: World) -> None:
    await tab.go(world.page("outages"))
    assert world.stand_in.count("/v1/outage") == 0
    await tab.click("button", "Last hour")
    await tab.until("document.querySelector('main').innerText.includes('As designed')")
    said = await tab.text("main")
    assert "35 min 50 s" in said
    assert "RabbitMQ was away" in said
    await tab.run("location.reload()")
    await tab.until("document.querySelector('main')?.innerText.includes('As designed')")


@pytest.mark.parametrize(("verdict", "words"), [("incomplete", "Incomplete"), ("unexplained", "Unexplained")])
async def test_a_verdict_that_is_not_good_is_said_so(tab: Tab, world: World, verdict: str, words: str) -> None:
    world.stand_in.instead["/v1/outage"] = outage() | {"verdict": verdict, "unexplained": int(verdict == "unexplained")}
    await tab.go(world.page("outages?from=2026-03-01T12:00:00Z&to=2026-03-01T13:00:00Z"))
    assert words in await tab.text("main .notice strong")
    assert "As designed" not in await tab.text("main")


async def test_a_filter_that_found_none_so_far_leads_further(tab: Tab, world: World) -> None:
    world.stand_in.instead["/v1/tasks"] = {"tasks": [], "next": "50", "complete": True} | limits()
    await tab.go(world.page("tasks?error=Rare"))
    assert "None so far" in await tab.text("main")
    world.stand_in.instead.clear()
    await tab.click("a.button", "Look further")
    await tab.until("location.hash === '#/tasks?error=Rare&cursor=50'")


async def test_tasks_that_lists_leave_out_are_mentioned(tab: Tab, world: World) -> None:
    answer = {"tasks": world.stand_in.tasks[:3], "next": None, "complete": False}
    world.stand_in.instead["/v1/tasks"] = answer | limits()
    await tab.go(world.page("tasks"))
    assert "those that ended long ago are left out" in await tab.text("main")
