"""The pages of a whole streamapp: every broker and role real, fed with the demo's load, looked at in a real browser."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamapp.cli.demo_load import Load, load_of
from streamapp.cli.sinks import MailSink, WebhookSink
from streamapp.producer.events import EventProducer
from tests.support.brokers import RunningBrokers
from tests.support.kafka import Kafka
from tests.support.rocks import DIARY, wipe
from tests.support.waiting import until
from tests.support.whole import PROJECT, Whole
from tests.ui.content import NASTY
from tests.ui.tab import Tab
from tests.ui.test_every_page import AUDIT, SCREENS

NAMESPACE = "pages"
SECRET = "a secret of the browser tests, long enough to sign with"
PAGES = (
    "",
    "tasks",
    "tasks?state=FAILED_PERMANENTLY",
    "tasks?type=WEBHOOK_DELIVERY",
    "tasks/demo-webhook-flaky",
    "tasks/demo-webhook-gone",
    "tasks/nasty",
    "tasks/large",
    "tasks/demo-refused",
    "failures",
    "stuck",
    "retrying",
    "workers",
    "latencies",
    "anomalies",
)
VIEWS = (
    "tasks?limit=500",
    "stuck",
    "failures",
    "workers",
    "anomalies",
    "latencies",
    "rates?window=1440",
    "totals",
    "unreadable",
    "tasks/demo-webhook-flaky",
)
AGO = re.compile(r"^now$|([0-9][0-9.]*\s*(ms|s|min|h|d)\s*)+ago")
OF_THE_MOMENT = ("asOf", "perMinute", "overdue", "why", "series")
"""What depends on when the question is asked; of the series only minutes with facts are compared."""

pytestmark = pytest.mark.timeout(300)


class Stack:
    """A whole streamapp, its sinks, and a client."""

    def __init__(self, whole: Whole, webhooks: WebhookSink, kafka: Kafka) -> None:
        self.whole = whole
        self.webhooks = webhooks
        self.kafka = kafka
        self.api = f"http://127.0.0.1:{whole.api}"
        self.diary = f"http://127.0.0.1:{whole.diary}"

    def page(self, address: str = "") -> str:
        """The address of a page."""
        return f"{self.diary}/ui/#/{address}"

    async def view(self, path: str) -> Any:
        """A view, which has to be there."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.diary}/v1/{path}") as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def submit(self, task: dict[str, Any]) -> int:
        """Submit one task; the status."""
        async with aiohttp.ClientSession() as session, session.post(f"{self.api}/v1/tasks", json=task) as response:
            return response.status

    def webhook(self, task_id: str, path: str, **body: Any) -> dict[str, Any]:
        """A delivery to the sink."""
        url = f"http://127.0.0.1:{self.webhooks.port}{path}"
        payload = {"url": url, "event": "test", "body": body}
        return {"taskId": task_id, "type": "WEBHOOK_DELIVERY", "payload": payload}

    async def drained(self, accepted: int) -> None:
        """Wait until so many tasks have ended."""

        async def ended() -> bool:
            states = (await self.view("totals"))["states"]
            return sum(states.get(name, 0) for name in ("COMPLETED", "FAILED_PERMANENTLY")) >= accepted

        await until(ended, 90, f"{accepted} tasks have ended", every=0.3)


async def feed(stack: Stack, load: Load) -> None:
    """The demo's load, and two tasks that no page should trust."""
    servers = stack.kafka.servers
    async with EventProducer(servers, f"{NAMESPACE}-consume-event", max_record_bytes=1_000_000) as producer:
        for records in (load.events, load.invalid, [load.duplicate], [load.conflict]):
            await producer.produce(records)
    for task in load.http:
        assert await stack.submit(task.body) == 202
    assert await stack.submit(load.refused) == 422
    assert await stack.submit(stack.webhook("nasty", "/ok", **{NASTY: NASTY})) == 202
    assert await stack.submit(stack.webhook("large", "/ok", text="x" * 200_000)) == 202
    await stack.drained(load.accepted + 2)


@pytest.fixture(scope="module")
async def stack(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("pages")
    mail, webhooks = MailSink(), WebhookSink(SECRET.encode())
    await webhooks.start()
    whole = Whole(
        folder,
        brokers_stack,
        NAMESPACE=NAMESPACE,
        WEBHOOK__SIGNING_SECRET=SECRET,
        TASKS__OVERRIDES='{"WEBHOOK_DELIVERY": {"timeout_seconds": 2}}',
    )
    await mail.start(whole.smtp)
    kafka = Kafka(brokers_stack.endpoints.kafka)
    await kafka.start()
    try:
        await asyncio.to_thread(whole.command, "up", "--without-sinks")
        made = Stack(whole, webhooks, kafka)
        await feed(made, load_of(webhooks.port, PROJECT))
        yield made
    finally:
        await asyncio.to_thread(whole.command, "down")
        await kafka.stop()
        await mail.stop()
        await webhooks.stop()


async def test_every_page_on_every_screen(tab: Tab, stack: Stack, screenshots: Path | None) -> None:
    for number, address in enumerate(PAGES):
        for width, theme in SCREENS:
            await tab.look(width, theme)
            await tab.go(stack.page(address))
            if screenshots is not None:
                await tab.screenshot(screenshots / f"stack-{number:02d}-{width}-{theme}.png")
            assert await tab.run(AUDIT) == [], (address, width, theme)
            assert tab.errors == [], (address, width, theme)
            assert await tab.violations() == [], (address, width, theme)
    assert await tab.run("document.title") != "owned"


async def test_pages_say_what_the_demo_did(tab: Tab, stack: Stack) -> None:
    await tab.go(stack.page("tasks/demo-webhook-flaky"))
    told = await tab.text()
    assert "Completed" in told
    for fact in (
        "TaskAccepted",
        "TaskDispatched",
        "TaskExecutionFailed",
        "TaskRetryScheduled",
        "TaskExecutionCompleted",
    ):
        assert fact in told
    await tab.go(stack.page("failures"))
    assert "Http410" in await tab.text()
    await tab.go(stack.page("tasks?error=Http410"))
    assert "demo-webhook-gone" in await tab.text()
    assert "demo-webhook-ok" not in await tab.text()
    await tab.go(stack.page("anomalies"))
    assert "accepted again" in await tab.text()
    await tab.go(stack.page("workers"))
    (worker,) = (await stack.view("workers"))["workers"]
    assert worker["worker"] in await tab.text()


async def test_a_payload_that_no_page_should_trust_is_only_text(tab: Tab, stack: Stack) -> None:
    await tab.go(stack.page("tasks/nasty"))
    await tab.run("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
    await tab.until(f"document.querySelector('main').innerText.includes({json.dumps(NASTY[:40])})")
    assert await tab.run("document.title") != "owned"
    await tab.go(stack.page("tasks/large"))
    await tab.run("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
    assert await tab.run("document.querySelectorAll('script:not([src])').length") == 0
    assert "WEBHOOK_DELIVERY" in await tab.text()


async def test_pages_follow_what_happens_without_being_loaded_again(tab: Tab, stack: Stack) -> None:
    await tab.go(stack.page("tasks"))
    await tab.run("window.here = true")
    assert await stack.submit(stack.webhook("live-list", "/ok")) == 202
    await tab.until("document.querySelector('main').innerText.includes('live-list')", 20)
    assert await tab.run("window.here")
    assert await stack.submit(stack.webhook("live-task", "/flaky?fail=1")) == 202
    await until(lambda: _known(stack, "live-task"), 20)
    await tab.go(stack.page("tasks/live-task"))
    await tab.run("window.here = true")
    await tab.until("document.querySelector('main').innerText.includes('TaskExecutionCompleted')", 30)
    assert await tab.run("window.here")
    await tab.go(stack.page())
    before = (await stack.view("overview"))["states"]["COMPLETED"]
    await tab.run("window.here = true")
    for number in range(20):
        assert await stack.submit(stack.webhook(f"live-{number}", "/ok")) == 202
    wanted = f"{before + 20:,}"
    await tab.until(f"document.querySelector('main').innerText.includes({json.dumps(wanted)})", 30)
    assert await tab.run("window.here")


async def _known(stack: Stack, task_id: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{stack.diary}/v1/tasks/{task_id}") as response:
        return response.status == 200


async def test_a_failed_task_is_requeued_from_its_page(tab: Tab, stack: Stack) -> None:
    await tab.go(stack.page("tasks/demo-webhook-gone"))
    await tab.click("h1 ~ * button", "Requeue")
    await tab.until("document.querySelector('dialog[open]')")
    await tab.run("document.querySelector('dialog input[name=actor]').focus()")
    await tab.type("anna")
    await tab.press("Tab")
    await tab.type("the receiver is back")
    await tab.press("Enter")
    await tab.until("document.querySelector('dialog').innerText.includes('1 task requeued')")
    await tab.click("dialog button", "Close")
    await tab.until("document.querySelector('main').innerText.includes('TaskRequeued')", 20)
    await until(lambda: _requeued(stack), 30, "it has failed once more", every=0.2)
    task = await stack.view("tasks/demo-webhook-gone")
    assert (task["requeues"], task["attempt"]) == (1, 2)
    assert "anna" in await tab.text()
    assert "the receiver is back" in await tab.text()


async def _requeued(stack: Stack) -> bool:
    task = await stack.view("tasks/demo-webhook-gone")
    return bool(task["requeues"] == 1 and task["state"] == "FAILED_PERMANENTLY")


def _lasting(found: Any) -> Any:
    """An answer without what depends on the moment."""
    if isinstance(found, list):
        return [_lasting(item) for item in found]
    if not isinstance(found, dict):
        return found
    kept = {name: _lasting(value) for name, value in found.items() if name not in OF_THE_MOMENT}
    if "series" in found:
        kept["minutes"] = [minute for minute in found["series"] if any(v for k, v in minute.items() if k != "at")]
    return kept


async def _every_number(stack: Stack) -> dict[str, Any]:
    return {path: _lasting(await stack.view(path)) for path in VIEWS}


async def _page_texts(tab: Tab, stack: Stack) -> dict[str, str]:
    """What the cells of some pages say, without how long ago it was."""
    found = {}
    for address in ("failures", "anomalies", "latencies", "tasks/demo-webhook-flaky"):
        await tab.go(stack.page(address))
        cells: list[str] = await tab.run(
            "[...document.querySelectorAll('main td, main dd')].map((one) => one.innerText)"
        )
        found[address] = "|".join(AGO.sub("ago", cell) for cell in cells)
    return found


async def test_every_page_and_number_is_the_same_after_tables_and_changelogs_were_deleted(
    tab: Tab, stack: Stack
) -> None:
    before, read = await _every_number(stack), await _page_texts(tab, stack)
    await tab.leave()
    await asyncio.to_thread(stack.whole.command, "down")
    (tables,) = Path(stack.whole.environment["STREAMAPP_DATA_DIRECTORY"]).rglob("tables")
    wipe(tables, *DIARY)
    endings = tuple(f"-{table}-changelog" for table in DIARY)
    changelogs = [name for name in await stack.kafka.topics(NAMESPACE) if name.endswith(endings)]
    assert len(changelogs) == len(DIARY)
    await stack.kafka.delete(changelogs)
    published = stack.webhooks.deliveries.copy()
    await asyncio.to_thread(stack.whole.command, "up", "--without-sinks")

    async def whole() -> bool:
        overview = await stack.view("overview")
        return not overview["missingPartitions"] and overview["lag"]["total"] == 0

    await until(whole, 60, "every partition has been folded", every=0.3)
    for path, answer in (await _every_number(stack)).items():
        assert answer == before[path], path
    assert await _page_texts(tab, stack) == read
    assert stack.webhooks.deliveries == published
