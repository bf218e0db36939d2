"""One tab of a browser, as a person uses it: opens addresses, clicks, types, looks. What went wrong in it is kept."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from tests.support.waiting import until
from tests.ui.chromium import Chromium, Json, Refused

KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    " ": 32,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
TEXTS = {"Enter": "\r", " ": " "}
WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  (window.violations ??= []).push(event.violatedDirective + " " + event.blockedURI);
});
"""
MIDDLE = """(() => {
  const one = %s;
  one.scrollIntoView({block: "center"});
  const box = one.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""
FOCUSED = """(() => {
  const one = document.activeElement;
  return one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent.trim() || one.tagName;
})()"""
READY = """
document.readyState === "complete" && document.querySelector("h1") && !document.querySelector("[aria-busy]")
"""
WAIT_SECONDS = 15.0


class Failed(AssertionError):
    """What was evaluated in the page threw."""


class Tab:
    """A page in a context of its own: no cookies, no memory, no cache of another test."""

    def __init__(self, browser: Chromium, context: str, target: str, session: str) -> None:
        self._browser = browser
        self._context = context
        self._target = target
        self._session = session
        self.errors: list[str] = []
        self.requests: list[str] = []

    @classmethod
    async def open(cls, browser: Chromium) -> "Tab":
        """A new tab, 1440 pixels wide, light."""
        context = (await browser.tell("Target.createBrowserContext"))["browserContextId"]
        target = (await browser.tell("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await browser.tell("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = cls(browser, context, target, session)
        browser.listen(session, tab._event)
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            await tab.tell(f"{domain}.enable")
        await tab.tell("Emulation.setFocusEmulationEnabled", enabled=True)
        await tab.tell("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        await tab.look()
        return tab

    async def close(self) -> None:
        """End it and everything it remembers."""
        self._browser.forget(self._session)
        await self._browser.tell("Target.closeTarget", targetId=self._target)
        await self._browser.tell("Target.disposeBrowserContext", browserContextId=self._context)

    async def tell(self, method: str, **parameters: Any) -> Json:
        """One command of the DevTools protocol."""
        return await self._browser.tell(method, self._session, **parameters)

    async def look(self, width: int = 1440, theme: str = "light", height: int = 900) -> None:
        """As somebody with such a screen and such colours looks at it."""
        await self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        await self.tell("Emulation.setEmulatedMedia", features=features)

    async def go(self, url: str) -> None:
        """Open an address, anew even if it is the same page, and wait until what it asks for is there."""
        await self.leave()
        await self.tell("Page.navigate", url=url)
        await self.settled()

    async def leave(self) -> None:
        """Leave the page for an empty one."""
        await self.tell("Page.navigate", url="about:blank")
        await self.until("location.href === 'about:blank'")

    async def settled(self) -> None:
        """Wait until the page shows what it was asked to show."""
        # The address changes first; that it has changed is told to the page in a later turn.
        await self.until("new Promise((done) => setTimeout(() => done(true), 30))")
        await self.until(READY)

    async def run(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        answer = await self.tell("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Failed(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    async def until(self, expression: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until an expression is true."""

        async def true() -> bool:
            try:
                return bool(await self.run(f"Promise.resolve({expression}).then(Boolean)"))
            except (Failed, Refused):
                return False  # between two documents there is nothing to ask

        await until(true, seconds)

    async def text(self, selector: str = "main") -> str:
        """What an element says."""
        found: str = await self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    async def texts(self, selector: str) -> list[str]:
        """What all such elements say."""
        found: list[str] = await self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.innerText)"
        )
        return found

    async def click(self, selector: str, containing: str = "") -> None:
        """Press the mouse on the first such element that has a text in it."""
        every = f"[...document.querySelectorAll({json.dumps(selector)})]"
        wanted = f"{every}.find((one) => one.textContent.includes({json.dumps(containing)}))"
        await self.until(wanted)
        place = await self.run(MIDDLE % wanted)
        await self.point(*place)
        for kind in ("mousePressed", "mouseReleased"):
            await self.tell("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    async def point(self, x: float, y: float) -> None:
        """Move the pointer."""
        await self.tell("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        common = {
            "key": key,
            "code": key if len(key) > 1 else "Space",
            "windowsVirtualKeyCode": KEYS[key],
            "modifiers": 8 * shift,
        }
        text = {"text": TEXTS[key]} if key in TEXTS else {}
        await self.tell("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        await self.tell("Input.dispatchKeyEvent", type="keyUp", **common)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.tell("Input.insertText", text=text)

    async def focused(self) -> str:
        """What has the focus: its name for a screen reader, more or less."""
        found: str = await self.run(FOCUSED)
        return found

    async def violations(self) -> list[str]:
        """What the Content-Security-Policy had to refuse."""
        found: list[str] = await self.run("window.violations ?? []")
        return found

    async def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        size = (await self.tell("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        picture = await self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(picture["data"]))

    async def busy_seconds(self) -> float:
        """Seconds that scripts, styles and layout have taken in this tab so far."""
        metrics = {one["name"]: one["value"] for one in (await self.tell("Performance.getMetrics"))["metrics"]}
        return float(metrics["ScriptDuration"] + metrics["LayoutDuration"] + metrics["RecalcStyleDuration"])

    def _event(self, method: str, event: Json) -> None:
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.errors.append(f"console.{event['type']}: {event['args']}")
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{event['entry']['source']}: {event['entry']['text']} {event['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(f"{event['request']['method']} {event['request']['url']}")
