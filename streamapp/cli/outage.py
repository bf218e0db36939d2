"""`streamapp outage`: what became of the work of a span of time, as a report in Markdown or as JSON.

In: the answer of `GET /v1/outage`. Out: a report that can be put into a ticket as it is.
"""

import re
from typing import Any

import click

from streamapp.cli.amounts import Moment, span
from streamapp.cli.output import NOT_WELL, OK, emit, harmless, wait_for
from streamapp.cli.views import View, answered, ask
from streamapp.settings import load

SECONDS = 180.0
"""The topic is read for it."""

AS_DESIGNED = "as-designed"
VERDICTS = {
    AS_DESIGNED: "As designed: every task of the span has ended, or waits for something that is still in time.",
    "unexplained": "Unexplained: the failure matrix (docs/design/5-failures.md) has no row for what is named below.",
    "incomplete": "Incomplete: some partitions did not answer, so nothing is certain. Ask again.",
}
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


@click.command()
@click.option("--from", "first", type=Moment(), required=True, help="RFC 3339, or so long ago: 90, 15m, 2h, 1d.")
@click.option("--to", "last", type=Moment(), default="now", help="As --from; default: now.")
@click.option(
    "--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", help="Default: markdown."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@answered
def outage(first: str, last: str, form: str, as_json: bool) -> None:
    """Report on a span of time, such as one in which something was down: what waited, what failed, what is unexplained.

    At most 24 hours. Exit code 0 only if the verdict is as-designed.
    """
    view = wait_for(ask(load(), "/v1/outage", [("from", first), ("to", last)], SECONDS))
    if as_json or form == "json":
        emit(view)
    else:
        click.echo(markdown(view))
    raise SystemExit(OK if view["verdict"] == AS_DESIGNED else NOT_WELL)


def markdown(view: View) -> str:
    """The report."""
    lines = [f"# Outage report, {view['from']} to {view['to']}", "", f"**{VERDICTS[view['verdict']]}**", ""]
    lines += ["| | |", "|---|---:|"]
    lines += [f"| {name} | {value} |" for name, value in _figures(view).items()]
    lines += _longest(view["waited"]["longest"])
    lines += ["", "## Findings", ""]
    lines += [f"- {quoted(finding)}" for finding in view["findings"]] or ["None."]
    lines += _limits(view)
    return "\n".join(lines)


def quoted(text: str) -> str:
    """A text of somebody else's in Markdown: it means itself."""
    return _MARKS.sub(r"\\\1", harmless(text))


def _figures(view: View) -> dict[str, Any]:
    waited = view["waited"]
    return {
        "accepted": view["accepted"],
        "rejected": view["rejected"],
        "attempts that waited more than a second": waited["count"],
        "waited, median": _span(waited["p50Ms"]),
        "waited, longest": _span(waited["maxMs"]),
        "duplicates suppressed": view["duplicatesSuppressed"],
        "attempts that failed": view["failed"],
        "tasks that failed for good": view["failedPermanently"],
        "contradictions kept": view["anomalies"],
        "records that are no facts": view["unreadable"],
        "unexplained": view["unexplained"],
    }


def _longest(waits: list[dict[str, Any]]) -> list[str]:
    if not waits:
        return []
    rows = [
        f"| {quoted(wait['taskId'])} | {wait['attempt']} | {_span(wait['waitedMs'])} | "
        f"{'still waits' if wait['still'] else 'has started'} |"
        for wait in waits
    ]
    return ["", "## Longest waits", "", "| task | attempt | waited | |", "|---|---:|---:|---|", *rows]


def _limits(view: View) -> list[str]:
    """What the view says it cannot tell."""
    lines = []
    if view["missingPartitions"]:
        lines.append(f"Nothing is known of partitions {', '.join(map(str, view['missingPartitions']))} now; ask again.")
    if view["stale"]:
        lines.append(f"Stale: Kafka does not answer; last known state as of {view['asOf']}.")
    return ["", *lines] if lines else []


def _span(value: int | None) -> str:
    return "–" if value is None else span(value)
