"""`streamapp requeue`: tasks that have failed for good are tried again. The list goes to the api, which records it.

In: task ids, who wants it and why. Out: a TaskRequeued for each, at a bounded rate. With --dry-run nothing is sent, and
the diary is asked what would come of it.
"""

import asyncio
import os
import pwd
from collections.abc import Sequence
from typing import Any

import click
import uuid_utils
from rich.table import Table

from streamapp.cli import client, output
from streamapp.cli.output import NOT_WELL, OK, WRONG, emit, fail, print_problem, reported, say, wait_for
from streamapp.domain.errors import Unavailable
from streamapp.domain.progress import State
from streamapp.settings import Settings, load
from streamapp.wire.submissions import MAX_REQUEUED

QUESTIONS_AT_ONCE = 10


@click.command()
@click.argument("task_ids", nargs=-1, required=True, metavar="TASKID...")
@click.option("--reason", required=True, help="Why: shown in the history of every task.")
@click.option("--actor", help="Who wants it; default: the name of the user at the operating system.")
@click.option("--idempotency-key", "key", help="Repeats a request that was not answered: nothing is requeued twice.")
@click.option("--rate", type=click.IntRange(1, MAX_REQUEUED), default=500, help="Tasks a second at most; default 500.")
@click.option("--dry-run", is_flag=True, help="Ask the diary what would come of it, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@reported
def requeue(
    task_ids: tuple[str, ...],
    reason: str,
    actor: str | None,
    key: str | None,
    rate: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Try tasks again that have failed for good, with all the attempts of their policy.

    With - as the only TASKID the ids are read from standard input, one a line. Of a task that has not failed for good
    the request is kept in its history as an anomaly, and nothing is run.
    """
    wanted = list(dict.fromkeys(_from_standard_input() if task_ids == ("-",) else task_ids))
    if not wanted:
        fail("no task ids", WRONG)
    settings = load()
    if dry_run:
        _tell_preview(wait_for(_preview(settings, wanted)), as_json)
        return
    body = {"actor": actor or _user(), "reason": reason}
    key = key or str(uuid_utils.uuid7())
    recorded, problem = wait_for(_send(settings, wanted, body, key, rate))
    if as_json:
        emit({"requeues": recorded, "idempotencyKey": key, "problem": problem})
    elif problem is not None:
        print_problem(problem)
    else:
        output.console.print(f"{len(recorded)} requeued; `streamapp show TASKID` tells what came of each")
    if problem is not None:
        missing = len(wanted) - len(recorded)
        say(f"{missing} of {len(wanted)} are not known to be recorded; repeat with --idempotency-key {key}")
        raise SystemExit(WRONG if problem.get("status") in (400, 422) else NOT_WELL)
    raise SystemExit(OK)


async def _send(
    settings: Settings, wanted: Sequence[str], body: dict[str, str], key: str, rate: int
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """What was recorded, and the problem at which it ended, if it did not get to the end."""
    recorded: list[dict[str, Any]] = []
    for start in range(0, len(wanted), rate):
        if start:
            await asyncio.sleep(1)
        try:
            code, answer = await client.requeue(settings, {"taskIds": wanted[start : start + rate], **body}, key)
        except Unavailable as error:
            return recorded, {"title": "The api did not answer", "status": 503, "detail": str(error)}
        recorded += [item for item in answer.get("requeues", ()) if "position" in item]
        if code != 202:
            return recorded, answer
    return recorded, None


async def _preview(settings: Settings, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Each task with its state as the diary has it; None where the diary does not answer."""
    turns = asyncio.Semaphore(QUESTIONS_AT_ONCE)

    async def look(task_id: str) -> dict[str, Any]:
        async with turns:
            try:
                code, view = await client.ask_diary(settings, client.task_path(task_id))
            except Unavailable:
                return {"taskId": task_id, "state": None, "attempt": None}
        known = code == 200
        unknown = str(State.UNKNOWN) if code == 404 else None
        return {
            "taskId": task_id,
            "state": view["state"] if known else unknown,
            "attempt": view["attempt"] if known else None,
        }

    return await asyncio.gather(*(look(task_id) for task_id in wanted))


def _tell_preview(tasks: Sequence[dict[str, Any]], as_json: bool) -> None:
    effective = [task for task in tasks if task["state"] == State.FAILED_PERMANENTLY]
    unanswered = [task for task in tasks if task["state"] is None]
    if as_json:
        emit({"tasks": tasks, "effective": len(effective), "unanswered": len(unanswered)})
        return
    table = Table("task", "state", "attempt", "would be", box=None, pad_edge=False)
    for task in tasks:
        state, attempt = task["state"], task["attempt"]
        what = "?" if state is None else "tried again" if task in effective else "left alone"
        table.add_row(output.plain(task["taskId"]), state or "no answer", str(attempt or ""), what)
    output.console.print(table)
    output.console.print(f"{len(effective)} of {len(tasks)} would be tried again; nothing was sent")


def _from_standard_input() -> list[str]:
    return [line.strip() for line in click.get_text_stream("stdin") if line.strip()]


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
