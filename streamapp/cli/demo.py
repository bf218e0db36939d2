"""`streamapp demo`: the whole system on real input, in a throw-away folder on free ports, judged by its own diary.

Starts brokers and every role, feeds them (`demo_load`), waits until every task has ended, then reads the diary from its
first fact and checks that it is as it must be. Stops what it started. Exit code 0 only if all of it is right.
"""

import asyncio
import os
import secrets
import shutil
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table

from brokers import Ports
from brokers.ports import free_ports
from streamapp.cli import client, output
from streamapp.cli.books import Books, books_of, rows
from streamapp.cli.demo_load import HttpTask, Load, load_of
from streamapp.cli.history import render
from streamapp.cli.installation import Installation
from streamapp.cli.output import NOT_WELL, OK, emit, say
from streamapp.cli.sinks import MailSink, WebhookSink
from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import TaskExecutionFailed
from streamapp.domain.task import Task
from streamapp.producer.events import EventProducer
from streamapp.settings import Settings, load, variable
from streamapp.stream.history import fold_all

DIRECTORY = Path(".streamapp") / f"demo-{os.getpid()}"
DRAIN_SECONDS = 120.0
TIMEOUT_SECONDS = 2
"""Timeout of a webhook in the demo, so that the one that never answers does not take long to fail."""


def run_demo(*, keep: bool, as_json: bool) -> int:
    """Run the demo. Returns the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is stopped then, too
    secret = secrets.token_hex(24)
    settings = _settings(secret)
    installation = Installation(settings, say)
    started = time.monotonic()
    try:
        return asyncio.run(_demo(settings, installation, secret, as_json, started))
    finally:
        installation.down()
        if keep:
            say(f"data and logs are in {DIRECTORY}")
        else:
            shutil.rmtree(DIRECTORY, ignore_errors=True)


def _settings(secret: str) -> Settings:
    """Settings of a world of its own. Set in the environment, which the roles inherit."""
    for name in [name for name in os.environ if name.startswith("STREAMAPP_")]:
        del os.environ[name]
    ports = Ports.free()
    api, diary, smtp = free_ports(3)
    values = {
        variable("brokers", "directory"): str(DIRECTORY / "brokers"),
        variable("brokers", "kafka_port"): ports.kafka,
        variable("brokers", "kafka_controller_port"): ports.kafka_controller,
        variable("brokers", "rabbitmq_port"): ports.rabbitmq,
        variable("brokers", "rabbitmq_distribution_port"): ports.rabbitmq_distribution,
        variable("brokers", "epmd_port"): ports.epmd,
        variable("brokers", "redis_port"): ports.redis,
        variable("data_directory"): str(DIRECTORY / "data"),
        variable("api", "port"): api,
        variable("diary", "port"): diary,
        variable("smtp", "port"): smtp,
        variable("webhook", "signing_secret"): secret,
        variable("tasks", "overrides"): f'{{"WEBHOOK_DELIVERY": {{"timeout_seconds": {TIMEOUT_SECONDS}}}}}',
        variable("log", "format"): "json",
    }
    os.environ.update({name: str(value) for name, value in values.items()})
    return load()


async def _demo(settings: Settings, installation: Installation, secret: str, as_json: bool, started: float) -> int:
    mail, webhooks = MailSink(), WebhookSink(secret.encode())
    await mail.start(settings.smtp.port)
    await webhooks.start()
    try:
        await asyncio.to_thread(installation.up, with_sinks=False)
        say(f"everything runs after {time.monotonic() - started:.1f} s; feeding real events")
        feed = load_of(webhooks.port, Path.cwd())
        faults = await _feed(settings, feed)
        await _drain(settings, feed)
        totals = (await client.ask_diary(settings, "/v1/totals"))[1]
        view = (await client.ask_diary(settings, client.task_path("demo-webhook-flaky")))[1]
        tasks, _, unreadable = await fold_all(settings.bootstrap_servers, settings.names.lifecycle_topic)
        books = books_of(tasks.values())
        faults += _check(feed, books, tasks, unreadable, totals, mail, webhooks)
    finally:
        await mail.stop()
        await webhooks.stop()
    if as_json:
        emit({"books": asdict(books), "balance": books.balance, "faults": faults, "task": view})
    else:
        _print(books, view, faults)
    return NOT_WELL if faults else OK


async def _feed(settings: Settings, feed: Load) -> list[str]:
    """Send everything. Returns what the api did that it should not."""
    topic, limit = settings.names.events_topic, settings.kafka.max_record_bytes
    faults = []
    with Progress(console=output.errors) as progress:
        bar = progress.add_task("sent", total=len(feed.events) + len(feed.invalid) + 2 + len(feed.http) + 1)
        async with EventProducer(settings.bootstrap_servers, topic, max_record_bytes=limit) as producer:
            for records in (feed.events, feed.invalid, [feed.duplicate], [feed.conflict]):
                await producer.produce(records, lambda number: progress.advance(bar, number))
        for task in feed.http:
            status, answer = await client.submit(settings, task.body, None)
            progress.advance(bar)
            if status != 202:
                faults.append(f"{task.task_id} was answered with {status}: {answer}")
        status, answer = await client.submit(settings, feed.refused, None)
        progress.advance(bar)
        if status != 422:
            faults.append(f"the invalid task was answered with {status}: {answer}")
    return faults


async def _drain(settings: Settings, feed: Load) -> None:
    """Wait until every accepted task has ended and every rejection is folded, as the diary sees it."""
    deadline = time.monotonic() + DRAIN_SECONDS
    with Progress(console=output.errors) as progress:
        bar = progress.add_task("ended", total=feed.accepted)
        while time.monotonic() < deadline:
            _, totals = await client.ask_diary(settings, "/v1/totals")
            states = totals["states"]
            ended = states.get("COMPLETED", 0) + states.get("FAILED_PERMANENTLY", 0)
            progress.update(bar, completed=ended)
            if ended >= feed.accepted and totals["facts"].get("TaskRejected", 0) >= feed.rejected:
                return
            await asyncio.sleep(0.1)
    raise Unavailable(f"not every task ended within {DRAIN_SECONDS:g} s: {states}")


def _check(
    feed: Load,
    books: Books,
    tasks: dict[str, Task],
    unreadable: list[str],
    totals: dict[str, Any],
    mail: MailSink,
    webhooks: WebhookSink,
) -> list[str]:
    """What is not as it must be."""
    mails = sum(task.type == "USER_CREATED" and task.state == "COMPLETED" for task in feed.http)
    delivered = sum(task.type == "WEBHOOK_DELIVERY" and task.state == "COMPLETED" for task in feed.http)
    states: dict[str, int] = {}
    for task in tasks.values():
        states[task.state] = states.get(task.state, 0) + 1
    expected = {
        "accepted": (books.accepted, feed.accepted),
        "rejected": (books.rejected, feed.rejected),
        "duplicates suppressed": (books.duplicates, 1),
        "conflicting submissions": (books.conflicts, 1),
        "still open": (books.open, 0),
        "unexplained": (books.unexplained, ()),
        "unreadable records": (unreadable, []),
        "e-mails sent": (mail.count, mails),
        "webhooks taken by the receiver": (sum(webhooks.accepted.values()), delivered),
        "states in the diary's view": (totals["states"], states),
    }
    faults = [f"{what}: {actual}, expected {wanted}" for what, (actual, wanted) in expected.items() if actual != wanted]
    if not books.balance:
        faults.append("the books do not balance")
    return faults + [fault for task in feed.http for fault in _check_task(task, tasks.get(task.task_id))]


def _check_task(expected: HttpTask, task: Task | None) -> list[str]:
    if task is None:
        return [f"{expected.task_id} is not in the diary"]
    failures = [entry.detail["errorType"] for entry in task.history if entry.fact == TaskExecutionFailed.NAME]
    found = (str(task.state), task.progress.attempt, failures[-1] if expected.error_type and failures else None)
    wanted = (expected.state, expected.attempts, expected.error_type)
    return [] if found == wanted else [f"{expected.task_id} is {found}, expected {wanted}"]


def _print(books: Books, view: dict[str, Any], faults: list[str]) -> None:
    table = Table("from the diary alone", "", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name, value in rows(books):
        table.add_row(name, value)
    output.console.print(table)
    balance = "balance: every accepted task is explained" if books.balance else "do NOT balance"
    output.console.print(f"the books {balance}\n")
    output.console.print("one task's whole history (its receiver failed twice):")
    output.console.print(render(view), soft_wrap=True)
    for fault in faults:
        output.console.print(f"NOT AS IT MUST BE: {fault}", markup=False, soft_wrap=True)
    if not faults:
        output.console.print("\nall is as it must be")
