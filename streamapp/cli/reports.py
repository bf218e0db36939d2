"""`streamapp stuck`, `failures`, `workers` and `overview`: how things stand, from the diary's views."""

from typing import Any

import click

from streamapp.cli import tables
from streamapp.cli.output import NOT_WELL, OK, say, wait_for
from streamapp.cli.overview import drawn
from streamapp.cli.tasks import MOST_TASKS, all_option, cursor_option, limit_option, listed
from streamapp.cli.views import View, answered, as_json, ask, whole
from streamapp.cli.watching import present, watch_option
from streamapp.settings import Settings, load


@click.command()
@limit_option
@all_option
@cursor_option
@watch_option
@as_json
@answered
def stuck(limit: int, everything: bool, cursor: str | None, watch: bool, as_json: bool) -> None:
    """List open tasks of which something should have happened by now, longest overdue first, and what.

    Exit code 1 if there is one, or if the answer is stale or says nothing of some partitions; else 0.
    """
    wanted = MOST_TASKS if everything else limit
    listed("/v1/stuck", [], wanted, cursor, tables.stuck, _nothing_stuck, as_json, watch)


@click.command()
@watch_option
@as_json
@answered
def failures(watch: bool, as_json: bool) -> None:
    """List failures by task type and error type, most frequent first, since the first fact.

    Exit code 1 if the answer is stale or says nothing of some partitions; else 0, however many there are.
    """
    settings = load()
    present(lambda: wait_for(ask(settings, "/v1/failures")), tables.failures, whole, as_json=as_json, watch=watch)


@click.command()
@click.option("--live", is_flag=True, help="Ask Redis who is registered, and RabbitMQ who consumes, too.")
@watch_option
@as_json
@answered
def workers(live: bool, watch: bool, as_json: bool) -> None:
    """List workers, last seen first: what they have done and what they run, as facts tell it.

    Exit code 1 if the answer is stale or says nothing of some partitions; with --live also if Redis or RabbitMQ does
    not answer, no worker is registered, or a queue has no consumer.
    """
    settings = load()
    present(lambda: wait_for(_workers(settings, live)), tables.workers, _at_work, as_json=as_json, watch=watch)


@click.command()
@watch_option
@as_json
@answered
def overview(watch: bool, as_json: bool) -> None:
    """Show how things stand: rates, success, latencies, lag, open tasks, warnings.

    Exit code 1 if there is a warning, or if the answer is stale or says nothing of some partitions.
    """
    settings = load()
    present(lambda: wait_for(ask(settings, "/v1/overview")), drawn, _no_warning, as_json=as_json, watch=watch)


async def _workers(settings: Settings, with_live: bool) -> View:
    view = await ask(settings, "/v1/workers")
    if with_live:
        from streamapp.cli.live import live

        told = await live(settings)
        for problem in told.problems:
            say(problem)
        view["live"] = told.document()
    return view


def _at_work(view: View) -> int:
    told: dict[str, Any] | None = view.get("live")
    if told is None:
        return whole(view)
    there = told["registered"] and all(queue["consumers"] for queue in told["queues"].values())
    return whole(view) if there and not told["problems"] else NOT_WELL


def _nothing_stuck(view: View) -> int:
    return NOT_WELL if view["tasks"] or view["next"] else whole(view)


def _no_warning(view: View) -> int:
    return NOT_WELL if view["warnings"] or whole(view) != OK else OK
