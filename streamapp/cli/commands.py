"""The commands. Each reads the settings, does one thing, and says what it did."""

import json as standard_json
import sys
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress
from rich.table import Table

from streamapp import settings as settings_module
from streamapp.cli import client, output
from streamapp.cli.audit import audit
from streamapp.cli.doctor import doctor
from streamapp.cli.installation import Installation
from streamapp.cli.live import live
from streamapp.cli.outage import outage
from streamapp.cli.output import NOT_WELL, OK, WRONG, emit, fail, print_problem, reported, say, wait_for
from streamapp.cli.replay import replay, verify
from streamapp.cli.reports import failures, overview, stuck
from streamapp.cli.reports import workers as list_workers
from streamapp.cli.requeue import requeue
from streamapp.cli.setup import guard_of, rebuild_guard, setup, workers
from streamapp.cli.tasks import show, task
from streamapp.cli.views import as_json
from streamapp.producer.events import EventProducer
from streamapp.settings import Settings, load
from streamapp.wire import json


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="streamapp")
def main() -> None:
    """Background tasks through RabbitMQ, with the whole truth about them in Kafka.

    Settings come from STREAMAPP_… variables: see `streamapp config`.
    """


@main.command()
@click.option("--without-sinks", is_flag=True, help="Do not start the local mail and webhook sinks.")
@reported
def up(without_sinks: bool) -> None:
    """Start everything on this machine: brokers, set-up, every role. Idempotent."""
    settings = load()
    installation = Installation(settings, say)
    installation.up(with_sinks=not without_sinks)
    say(f"api    http://127.0.0.1:{settings.api.port}    POST /v1/tasks")
    say(f"diary  http://127.0.0.1:{settings.diary.port}    GET /v1/tasks/{{taskId}}, /v1/totals")
    say(f"logs   {installation.logs}")


@main.command()
@reported
def down() -> None:
    """Stop what `up` started, and nothing else. Data stays."""
    Installation(load(), say).down()


@main.command()
@as_json
@reported
def status(as_json: bool) -> None:
    """Say what runs on this machine. Exit code 1 if something of it does not."""
    installation = Installation(load(), say)
    brokers: list[dict[str, Any]] = [
        {"name": item.name, "running": item.running, "ready": item.ready, "pid": item.pid, "port": item.port}
        for item in installation.broker_status()
    ]
    roles: list[dict[str, Any]] = [
        {"name": item.name, "running": item.running, "ready": item.ready, "pid": item.pid, "log": str(item.log_file)}
        for item in installation.role_status()
    ]
    told = wait_for(live(installation.settings))
    for problem in told.problems:
        say(problem)
    if as_json:
        emit({"brokers": brokers, "roles": roles, "queues": told.queues, "workers": told.registered})
    else:
        table = Table("part", "running", "ready", "pid", "where", box=None, pad_edge=False)
        for item in [*brokers, *roles]:
            where = item.get("log") or f"127.0.0.1:{item.get('port')}"
            table.add_row(item["name"], _yes(item["running"]), _yes(item["ready"]), str(item["pid"] or ""), str(where))
        output.console.print(table)
        for name, found in told.queues.items():
            output.console.print(f"queue {name}: {found['messages']} jobs waiting, {found['consumers']} consumers")
        output.console.print(f"workers registered: {len(told.registered)}")
    well = all(item["running"] and item["ready"] is not False for item in [*brokers, *roles])
    raise SystemExit(OK if well else NOT_WELL)


@main.command()
@click.argument("type")
@click.argument("payload", default="{}")
@click.option("--task-id", help="The id of the task; without it the api makes one.")
@click.option("--idempotency-key", help="The same key makes the same task, for ever.")
@as_json
@reported
def submit(type: str, payload: str, task_id: str | None, idempotency_key: str | None, as_json: bool) -> None:
    """Submit one task of TYPE with PAYLOAD (a JSON object) over HTTP."""
    try:
        task: dict[str, Any] = {"type": type, "payload": json.parse(payload.encode())}
    except json.Malformed as error:
        fail(f"PAYLOAD is not JSON: {error}", WRONG)
    if task_id is not None:
        task["taskId"] = task_id
    code, answer = wait_for(client.submit(load(), task, idempotency_key))
    if as_json:
        emit(answer)
    elif code == 202:
        output.console.print(f"{answer['taskId']}  partition {answer['partition']}, offset {answer['offset']}")
    if code != 202:
        if not as_json:
            print_problem(answer)
        raise SystemExit(NOT_WELL)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@reported
def produce(file: Path, as_json: bool) -> None:
    """Produce FILE (one event per line, JSON) into consume-event, keyed by eventId."""
    settings = load()
    lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    with Progress(console=output.errors, disable=as_json) as progress:
        bar = progress.add_task("events", total=len(lines))
        count = wait_for(_produce(settings, lines, lambda number: progress.advance(bar, number)))
    if as_json:
        emit({"produced": count, "topic": settings.names.events_topic})
    else:
        output.console.print(f"{count} events produced into {settings.names.events_topic}")


@main.command()
@as_json
@reported
def config(as_json: bool) -> None:
    """Show the effective settings. Secrets are never printed."""
    settings = load()
    described = settings_module.variables()
    effective = settings_module.effective(settings)
    if as_json:
        emit(effective)
        return
    for name, value in effective.items():
        text = value if isinstance(value, str) else standard_json.dumps(value)
        output.console.print(f"# {described[name]}" if described[name] else "#", style="dim", markup=False)
        output.console.print(f"{name}={text}", markup=False, soft_wrap=True)


@main.command()
@click.argument("role", type=click.Choice(["all", "api", "ingest", "dispatch", "diary", "worker"]))
@reported
def run(role: str) -> None:
    """Run one role in the foreground until SIGTERM. `all` is ingest, dispatch and diary in one process."""
    from streamapp.cli.foreground import run_role

    run_role(role)


@main.command("setup")
@reported
def setup_command() -> None:
    """Create and check topics, queues and the guard's epoch. Idempotent; run it before the roles."""
    wait_for(setup(load(), say))


@main.group()
def guard() -> None:
    """The guard's memory in Redis."""


@guard.command("rebuild")
@as_json
@reported
def guard_rebuild(as_json: bool) -> None:
    """Write the claims of all unfinished and recent tasks again from the diary, under a new epoch."""
    epoch, claims = wait_for(_rebuild(load()))
    if as_json:
        emit({"epoch": epoch, "claims": claims})


@main.command("worker-check")
@reported
def worker_check() -> None:
    """Exit 0 if a worker of this host has registered itself in the last seconds: for health checks."""
    import socket

    registered = wait_for(workers(load()))
    raise SystemExit(OK if any(item["host"] == socket.gethostname() for item in registered) else NOT_WELL)


@main.command()
@click.option("--keep", is_flag=True, help="Leave the demo's data for a look afterwards.")
@as_json
@reported
def demo(keep: bool, as_json: bool) -> None:
    """Run the whole system on real input in a throw-away folder, and check what the diary says of it."""
    from streamapp.cli.demo import run_demo

    raise SystemExit(run_demo(keep=keep, as_json=as_json))


async def _rebuild(settings: Settings) -> tuple[int, int]:
    door = guard_of(settings, "rebuild")
    await door.start()
    try:
        return await rebuild_guard(settings, door, say)
    finally:
        await door.stop()


async def _produce(settings: Settings, lines: list[bytes], progress: Any) -> int:
    topic, limit = settings.names.events_topic, settings.kafka.max_record_bytes
    async with EventProducer(settings.bootstrap_servers, topic, max_record_bytes=limit) as producer:
        return await producer.produce(((_key(line), line) for line in lines), progress)


def _key(line: bytes) -> bytes | None:
    """The eventId, where one is legible: events of one id keep their order then."""
    try:
        event = json.parse(line)
    except json.Malformed:
        return None
    event_id = event.get("eventId") if isinstance(event, dict) else None
    return event_id.encode() if isinstance(event_id, str) else None


def _yes(value: object) -> str:
    return "–" if value is None else ("yes" if value else "no")


for command in (audit, doctor, failures, outage, overview, replay, requeue, show, stuck, task, verify, list_workers):
    main.add_command(command)

if __name__ == "__main__":
    main(sys.argv[1:])
