"""`streamapp task …`: one task, its history, lists of tasks, and facts as they come. All from the diary's views."""

from collections.abc import Callable
from typing import Any, NoReturn

import click
from rich.console import Group, RenderableType

from streamapp.cli import client, output, tables
from streamapp.cli.amounts import Duration, number
from streamapp.cli.attempts import attempts
from streamapp.cli.history import fact_line, facts, heading, render
from streamapp.cli.output import NOT_WELL, OK, emit, emit_line, say, wait_for
from streamapp.cli.views import Parameters, View, answered, as_json, ask, pages, whole
from streamapp.cli.watching import present, watch_option
from streamapp.domain.progress import State
from streamapp.settings import load

DEFAULT_TASKS, MOST_TASKS = 50, 100_000
"""Tasks of a list, without --limit and with --all."""

MOST_WAIT_SECONDS = 60.0

wait_option = click.option(
    "--wait", type=Duration(MOST_WAIT_SECONDS), metavar="SECONDS", help="Wait so long for it to end, at most 60."
)
at_option = click.option("--at", metavar="TIME|P:O", help="As it was then: RFC 3339, or PARTITION:OFFSET of a fact.")
position_option = click.option(
    "--min-position", "position", metavar="P:O", help="Answer when the fact at PARTITION:OFFSET is folded."
)
limit_option = click.option(
    "--limit", type=click.IntRange(1, MOST_TASKS), default=DEFAULT_TASKS, help="Tasks at most; default 50."
)
all_option = click.option("--all", "everything", is_flag=True, help=f"As many as there are, up to {MOST_TASKS:,}.")
cursor_option = click.option("--cursor", help="Go on where another answer ended: its `next`.")


@click.group()
def task() -> None:
    """One task, its history, lists of tasks, and facts as they come."""


@task.command()
@click.argument("task_id", metavar="TASKID")
@wait_option
@at_option
@position_option
@as_json
@answered
def show(task_id: str, wait: float | None, at: str | None, position: str | None, as_json: bool) -> None:
    """Show a task with every fact, as the diary has it.

    Exit code 1 if it is not known, or with --wait has not ended by then; else 0, whatever its state.
    """
    _one(task_id, wait, at, position, as_json, render)


@task.command()
@click.argument("task_id", metavar="TASKID")
@wait_option
@at_option
@position_option
@as_json
@answered
def history(task_id: str, wait: float | None, at: str | None, position: str | None, as_json: bool) -> None:
    """Show the attempts of a task with the gaps between their steps, then every fact with its place.

    Exit codes as those of `task show`.
    """
    _one(task_id, wait, at, position, as_json, lambda view: Group(heading(view), attempts(view), "", *facts(view)))


@task.command("list")
@click.option("--state", "states", type=click.Choice(list(State)), multiple=True, help="May be repeated: any of them.")
@click.option("--type", "type_", help="Of this type.")
@click.option("--worker", help="Started last by this worker.")
@click.option("--error", help="Whose last failure is of this error type.")
@click.option("--anomaly", is_flag=True, help="Only tasks whose facts contradict each other.")
@click.option("--older-than", "older", type=Duration(), help="Last change at least so long ago: 90, 15m, 2h, 7d.")
@click.option("--younger-than", "younger", type=Duration(), help="Last change at most so long ago.")
@limit_option
@all_option
@cursor_option
@watch_option
@as_json
@answered
def list_tasks(
    states: tuple[str, ...],
    type_: str | None,
    worker: str | None,
    error: str | None,
    anomaly: bool,
    older: float | None,
    younger: float | None,
    limit: int,
    everything: bool,
    cursor: str | None,
    watch: bool,
    as_json: bool,
) -> None:
    """List tasks, newest change first.

    Exit code 1 if the answer is stale or says nothing of some partitions; else 0, also if there is no such task.
    """
    asked: Parameters = [("state", state) for state in states]
    given = {"type": type_, "worker": worker, "error": error}
    asked += [(name, value) for name, value in given.items() if value is not None]
    asked += [("anomaly", "true")] if anomaly else []
    ages = {"olderThan": older, "youngerThan": younger}
    asked += [(name, number(value)) for name, value in ages.items() if value is not None]
    listed("/v1/tasks", asked, MOST_TASKS if everything else limit, cursor, tables.tasks, whole, as_json, watch)


@task.command()
@click.argument("task_id", metavar="[TASKID]", required=False)
@click.option("--json", "as_lines", is_flag=True, help="Print each fact as one line of JSON, and nothing else.")
@answered
def watch(task_id: str | None, as_lines: bool) -> None:
    """Print facts as they come: with a TASKID its facts until it has ended, else every fact until Ctrl-C.

    Exit code of one task: 0 if it has completed; 1 if it failed for good, was rejected, stays unknown, or you ended it
    before. Without a TASKID Ctrl-C is the end, and 0.
    """
    from streamapp.cli.facts_live import OneTask, watch_all

    tell: Callable[[dict[str, Any]], None] = emit_line if as_lines else _print_event if task_id is None else _print_fact
    settings = load()
    try:
        if task_id is None:
            wait_for(watch_all(settings, tell, say))
            return
        state = wait_for(OneTask(settings, task_id, tell, say).watch())
    except KeyboardInterrupt:
        raise SystemExit(OK if task_id is None else NOT_WELL) from None
    if not as_lines:
        say(f"{task_id}: {state}")
    raise SystemExit(OK if state == State.COMPLETED else NOT_WELL)


def listed(
    path: str,
    asked: Parameters,
    wanted: int,
    cursor: str | None,
    draw: Callable[[View], RenderableType],
    verdict: Callable[[View], int],
    as_json: bool,
    watch: bool,
) -> NoReturn:
    """Present a list of tasks, page after page of it."""
    settings = load()
    present(lambda: wait_for(pages(settings, path, asked, wanted, cursor)), draw, verdict, as_json=as_json, watch=watch)


def _one(
    task_id: str,
    wait: float | None,
    at: str | None,
    position: str | None,
    as_json: bool,
    draw: Callable[[View], RenderableType],
) -> NoReturn:
    given = {"wait": None if wait is None else number(wait), "at": at, "min_position": position}
    asked = [(name, value) for name, value in given.items() if value is not None]
    view = wait_for(ask(load(), client.task_path(task_id), asked, client.SECONDS + (wait or 0)))
    if as_json:
        emit(view)
    elif output.console.is_terminal:
        output.console.print(draw(view), soft_wrap=True)
    else:
        output.show(draw(view))
    over = view["endedAt"] is not None or view["state"] == State.REJECTED
    raise SystemExit(OK if wait is None or over else NOT_WELL)


def _print_fact(fact: dict[str, Any]) -> None:
    output.console.print(fact_line(fact), soft_wrap=True)


def _print_event(event: dict[str, Any]) -> None:
    """A fact that the stream has told: no details, and whose it is."""
    place = f"[{event['partition']}]@{event['offset']}"
    who = f"  {event['worker']}" if event["worker"] else ""
    text = f"{place:<8} {event['at']}  {event['fact']:<24} {event['taskId']}  {event['type'] or ''}  {event['state']}"
    output.console.print(output.plain(f"{text}({event['attempt']}){who}"), soft_wrap=True)
