"""The diary's overview as text: every signal that is a number, and the warnings."""

from rich.console import Group, RenderableType

from streamapp.cli.output import plain
from streamapp.cli.tables import limits, milliseconds, row, table
from streamapp.cli.views import View

RATES = ("accepted", "dispatched", "started", "completed", "failed", "retried", "failedPermanently", "requeued")


def drawn(view: View) -> RenderableType:
    """Warnings first, then states, rates, latencies and what remains."""
    warnings = [
        plain(f"warning {one['slug']}: {one['text']}{f' (since {since})' if (since := one['since']) else ''}")
        for one in view["warnings"]
    ]
    return Group(*warnings, _states(view), "", _rates(view), "", _latencies(view), "", _rest(view), *limits(view))


def _states(view: View) -> RenderableType:
    made = table("state", "tasks")
    for state, number in sorted(view["states"].items()):
        row(made, state, number)
    row(made, "open in all", view["open"])
    return made


def _rates(view: View) -> RenderableType:
    made = table("facts", "last whole minute", "per second now")
    for name in RATES:
        row(made, name, view["lastMinute"][name], view["perSecond"][name])
    return made


def _latencies(view: View) -> RenderableType:
    made = table("latency, last 5 minutes", "count", "p50", "p95", "p99")
    for name, title in (("dispatch", "dispatch"), ("execution", "execution"), ("endToEnd", "end to end")):
        found = view["latencies"][name]
        row(made, title, found["count"], *(milliseconds(found[quantile]) for quantile in ("p50", "p95", "p99")))
    return made


def _rest(view: View) -> RenderableType:
    made = table("signal", "value")
    figures = {
        "success rate, last 5 minutes": _share(view["successRate"]),
        "success rate, ever": _share(view["successRateEver"]),
        "workers seen in the last minute": view["workers"]["seenLastMinute"],
        "running": view["workers"]["running"],
        "stuck": view["stuck"],
        "wait for another attempt": view["retrying"],
        "duplicates suppressed": view["duplicates"],
        "contradictions": view["anomalies"],
        "records that are no facts": view["unreadable"],
        "facts not yet folded": view["lag"]["total"],
    }
    for name, value in figures.items():
        row(made, name, value)
    return made


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
