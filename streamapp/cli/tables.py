"""Views as tables for people.

In: answers of the diary. Out: what rich prints. A text of somebody else's is never taken for markup, and nothing that
a view says of its own limits is left out.
"""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streamapp.cli.amounts import between, span
from streamapp.cli.output import plain
from streamapp.cli.views import View

RUNNING_SHOWN = 3


def table(*columns: str, folded: tuple[str, ...] = ()) -> Table:
    """A table without lines. In a narrow terminal the columns `folded` are wrapped and never cut."""
    made = Table(box=None, pad_edge=False)
    for name in columns:
        fold = name in folded
        made.add_column(name, overflow="fold" if fold else "ellipsis", no_wrap=not fold, min_width=8 if fold else None)
    return made


def cell(value: Any) -> Text:
    """A value in a table."""
    return plain("" if value is None else f"{value:g}" if isinstance(value, float) else str(value))


def row(made: Table, *values: Any) -> None:
    """Add a row."""
    made.add_row(*(value if isinstance(value, Text) else cell(value) for value in values))


def limits(view: View) -> list[Text]:
    """A line for everything that a view says it cannot tell."""
    lines = []
    if view.get("next"):
        lines.append("there is more: --limit, --all, or go on with --cursor " + view["next"])
    if view.get("complete") is False:
        lines.append("not complete: older tasks have ended and left the index; `task show` still finds each of them")
    if view.get("missingPartitions"):
        lines.append(f"nothing is known of partitions {', '.join(map(str, view['missingPartitions']))} now; ask again")
    if view.get("stale"):
        lines.append(f"stale: Kafka does not answer; last known state as of {view['asOf']}")
    return [plain(line) for line in lines]


def tasks(view: View) -> RenderableType:
    """A list of tasks, a line for each."""
    made = table("changed", "task", "state", "attempt", "type", "worker", "error", folded=("task", "worker"))
    for task in view["tasks"]:
        state = f"{task['state']}{' overdue' if task['overdue'] else ''}{' odd' if task['anomalies'] else ''}"
        changed = _ago(view, task["changedAt"])
        row(made, changed, task["taskId"], state, task["attempt"], task["type"], task["worker"], _error(task))
    return Group(made, plain(f"{len(view['tasks'])} tasks"), *limits(view))


def stuck(view: View) -> RenderableType:
    """Tasks of which something should have happened by now."""
    made = table("task", "state", "attempt", "type", "why", folded=("task", "why"))
    for task in view["tasks"]:
        row(made, task["taskId"], task["state"], task["attempt"], task["type"], task["why"])
    number = len(view["tasks"])
    return Group(*([made] if number else []), plain(f"{number or 'no'} tasks are stuck"), *limits(view))


def failures(view: View) -> RenderableType:
    """Failures by type and error, most frequent first."""
    made = table("count", "for good", "type", "error", "last", "examples", "last message", folded=("examples",))
    for one in view["failures"]:
        figures = (one["count"], one["permanent"], one["type"], one["errorType"], _ago(view, one["lastAt"]))
        row(made, *figures, ", ".join(one["examples"]), one["lastMessage"])
    kinds = len(view["failures"])
    return Group(*([made] if kinds else []), plain(f"{kinds or 'no'} kinds of failures"), *limits(view))


def workers(view: View) -> RenderableType:
    """Workers, last seen first; with what Redis and RabbitMQ say, if they were asked."""
    told = view.get("live")
    there = None if told is None else {item["worker"]: item for item in told["registered"]}
    names = ["worker", "last seen", "started", "completed", "failed", "fail rate", "per min", "running"]
    made = table(*names, *([] if there is None else ["registered"]), folded=("worker", "running"))
    for one in view["workers"]:
        figures = (one["worker"], _ago(view, one["lastSeenAt"]), one["started"], one["completed"], one["failed"])
        rate = None if one["failureRate"] is None else f"{one['failureRate']:.1%}"
        registered = [] if there is None else ["yes" if there.pop(one["worker"], None) else "no"]
        row(made, *figures, rate, one["perMinute"], _running(one["running"]), *registered)
    for name, item in (there or {}).items():
        row(made, name, "never", 0, 0, 0, None, None, f"{item['running']} by itself", "yes")
    return Group(made, *_live(told), *limits(view))


def _live(told: View | None) -> list[Text]:
    if told is None:
        return []
    lines = [
        f"queue {name}: {found['messages']} jobs waiting, {found['consumers']} consumers"
        for name, found in told["queues"].items()
    ]
    lines.append(f"workers registered: {len(told['registered'])}")
    return [plain(line) for line in [*lines, *told["problems"]]]


def _running(tasks: list[dict[str, Any]]) -> str:
    named = ", ".join(f"{task['taskId']} ({task['attempt']})" for task in tasks[:RUNNING_SHOWN])
    more = len(tasks) - RUNNING_SHOWN
    return f"{len(tasks)}: {named}{f' and {more} more' if more > 0 else ''}" if tasks else "0"


def _error(task: dict[str, Any]) -> str | None:
    return None if task["errorType"] is None else f"{task['errorType']}: {task['errorMessage']}"


def _ago(view: View, moment: str) -> str:
    ago = between(moment, view["asOf"])
    return f"{ago} ago" if ago else moment


def milliseconds(value: int | None) -> str:
    """A latency, or a dash."""
    return "–" if value is None else span(value)
