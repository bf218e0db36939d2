"""One task's view as text for a person."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from streamapp.cli.output import plain
from streamapp.clock import rfc3339


def render(view: dict[str, Any]) -> RenderableType:
    """The answer of `GET /v1/tasks/{taskId}` as a heading and a line for each fact."""
    return Group(heading(view), *facts(view))


def facts(view: dict[str, Any]) -> list[Text]:
    """A line for each fact, and what is known beyond them."""
    return [*map(fact_line, view["facts"]), *_rest(view)]


def heading(view: dict[str, Any]) -> Text:
    """Which task, and how it stands; with a moment, how it stood then."""
    then = f"  as it was at {view['at']}" if "at" in view else ""
    return plain(f"{view['taskId']}  {view['state']}  {view['type'] or ''}{then}")


def fact_line(fact: dict[str, Any]) -> Text:
    """One fact: where it lies, when it was recorded, what it says, who said it."""
    place = f"[{fact['partition']}]@{fact['offset']}"
    what = fact["fact"] if fact["attempt"] is None else f"{fact['fact']}({fact['attempt']})"
    who = fact["worker"] or fact["source"].removeprefix("/streamapp/")
    detail = _detail(fact["detail"])
    return plain(f"  {place:<8} {fact['at']}  {what:<26} {who}{'  ' + detail if detail else ''}")


def _rest(view: dict[str, Any]) -> list[Text]:
    """What is known beyond the facts, and what is not."""
    lines = [f"anomaly at {item['offset']}: {item['fact']}: {item['reason']}" for item in view["anomalies"]]
    if view["duplicates"]:
        lines.append(f"seen again and ignored: {view['duplicates']}")
    if view.get("factsNotKept"):
        lines.append(f"facts counted and not kept: {view['factsNotKept']}")
    if view["result"] is not None:
        lines.append(f"result: {view['result']}")
    if view.get("stale"):
        lines.append(f"stale: Kafka does not answer; last known state as of {view['asOf']}")
    return [plain(line) for line in lines]


def _detail(detail: dict[str, Any]) -> str:
    shown = {name: value for name, value in detail.items() if name not in ("epoch", "claim")}
    if "notBefore" in shown:
        shown["notBefore"] = rfc3339(shown["notBefore"])
    return ", ".join(f"{name} {value}" for name, value in shown.items())
