"""One task's view as text for a person."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from streamapp.clock import rfc3339


def render(view: dict[str, Any]) -> RenderableType:
    """The answer of `GET /v1/tasks/{taskId}` as a heading and a line for each fact."""
    heading = Text(f"{view['taskId']}  {view['state']}  {view['type'] or ''}")
    facts = [_line(fact) for fact in view["facts"]]
    lines: list[RenderableType] = [heading, *facts]
    lines += [Text(f"anomaly at {item['offset']}: {item['fact']}: {item['reason']}") for item in view["anomalies"]]
    if view["duplicates"]:
        lines.append(Text(f"seen again and ignored: {view['duplicates']}"))
    if view["result"] is not None:
        lines.append(Text(f"result: {view['result']}"))
    if view.get("stale"):
        lines.append(Text(f"stale: Kafka does not answer; last known state as of {view['asOf']}"))
    return Group(*lines)


def _line(fact: dict[str, Any]) -> Text:
    """One fact: where it lies, when it was recorded, what it says, who said it."""
    place = f"[{fact['partition']}]@{fact['offset']}"
    what = fact["fact"] if fact["attempt"] is None else f"{fact['fact']}({fact['attempt']})"
    who = fact["worker"] or fact["source"].removeprefix("/streamapp/")
    detail = _detail(fact["detail"])
    return Text(f"  {place:<8} {fact['at']}  {what:<26} {who}{'  ' + detail if detail else ''}")


def _detail(detail: dict[str, Any]) -> str:
    shown = {name: value for name, value in detail.items() if name not in ("epoch", "claim")}
    if "notBefore" in shown:
        shown["notBefore"] = rfc3339(shown["notBefore"])
    return ", ".join(f"{name} {value}" for name, value in shown.items())
