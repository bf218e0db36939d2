"""What `streamapp replay` and `streamapp verify` do: look, refuse, ask, act, and say what came of it."""

import asyncio
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import click

from streamapp.cli.installation import Installation
from streamapp.cli.output import NOT_WELL, OK, WRONG, emit, fail, say, wait_for
from streamapp.cli.replay_text import Bars, show_plan, show_verification
from streamapp.cli.role_in_front import ChildRole
from streamapp.clock import SystemClock, rfc3339
from streamapp.domain.errors import StreamappError, Unavailable
from streamapp.replay.certificate import Certificate
from streamapp.replay.execution import StillRunning, carry_out, refuse_if_alive
from streamapp.replay.live import LiveTables
from streamapp.replay.plan import Plan, app_role, make_plan
from streamapp.replay.session import run_and_certify
from streamapp.replay.start import Start
from streamapp.replay.verification import Verification, verify
from streamapp.settings import Role, Settings, load
from streamapp.stream.stored import StoredTables
from streamapp.stream.topic_log import TopicLog


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of `replay`."""

    start: Start
    wipe: bool
    run: bool
    dry_run: bool
    yes: bool
    as_json: bool


def run_replay(role: Role, wishes: Wishes) -> None:
    """Replay the log into the tables of `role`, as far as the options wish it.

    Raises:
        StreamappError: refused, or a broker does not answer.
        SystemExit: refused, used wrongly, or the replay has caused something.
    """
    settings = load()
    plan = wait_for(make_plan(settings, role, wishes.start, wipe=wishes.wipe))
    document: dict[str, Any] = {"plan": _document(plan), "refused": None, "done": None, "certificate": None}
    if not wishes.as_json:
        show_plan(plan)
    refusal = _refusal(settings, plan)
    if wishes.dry_run or refusal:
        if wishes.as_json:
            emit({**document, "refused": refusal})
        if refusal:
            fail(refusal, NOT_WELL)
        return
    if plan.wiped and not wishes.yes:
        if wishes.as_json:
            fail("--json asks nothing: add --yes to delete the tables", WRONG)
        click.confirm(f"Delete {', '.join(table.table for table in plan.wiped)} on disk and in Kafka?", abort=True)
    done = wait_for(carry_out(settings, plan))
    if not wishes.as_json:
        say(f"{done.offsets} offsets set, {len(done.changelogs)} changelogs and {done.files} files of tables deleted")
    document["done"] = asdict(done)
    if wishes.run:
        certificate = wait_for(_run(settings, plan, silent=wishes.as_json))
        path = certificate.write(settings.data_directory)
        document |= {"certificate": certificate.document(), "file": str(path)}
        if not wishes.as_json:
            click.echo(certificate.text(), nl=False)
            say(f"certificate: {path}. The role is stopped again.")
    elif not wishes.as_json:
        say("Start the role, and it reads on: `streamapp up` on one machine.")
    if wishes.as_json:
        emit(document)
    if wishes.run and not certificate.caused_nothing:
        fail("the replay has caused something: see the certificate", NOT_WELL)


def run_verify(urls: tuple[str, ...], *, as_json: bool) -> None:
    """Compare the live tables with a fold of the topic, and exit with 0, 1 or 2.

    Raises:
        SystemExit: always; the code is the verdict.
    """
    try:
        settings = load()
        found = wait_for(_verify(settings, urls or (_url(settings),), silent=as_json))
    except StreamappError as error:
        fail(str(error), WRONG)
    if as_json:
        emit({"equal": found.equal, **asdict(found)})
    else:
        show_verification(found)
    raise SystemExit(OK if found.equal else NOT_WELL)


async def _run(settings: Settings, plan: Plan, *, silent: bool) -> Certificate:
    """The replay itself. SIGTERM ends it like an interrupt from the keyboard: the role is stopped first."""
    clock = SystemClock()
    moment = rfc3339(clock.now_ms()).replace(":", "").replace("-", "")
    role = ChildRole(settings, settings.data_directory / f"replay-{plan.role}-{moment}.log")
    bars = Bars(silent=silent)
    this = asyncio.current_task()
    if this is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    with bars.progress:
        return await run_and_certify(settings, plan, _url(settings), role, clock, bars)


async def _verify(settings: Settings, urls: tuple[str, ...], *, silent: bool) -> Verification:
    bars = Bars(silent=silent)
    with bars.progress as progress:
        bar = progress.add_task("partitions", total=None)
        async with (
            TopicLog(settings.bootstrap_servers, settings.names.lifecycle_topic) as log,
            LiveTables(urls) as live,
        ):
            return await verify(
                log, live, SystemClock(), lambda done, total: progress.update(bar, completed=done, total=total)
            )


def _url(settings: Settings) -> str:
    """The web server of the role in the settings."""
    port = {"ingest": settings.ingest.port, "dispatch": settings.dispatch.port}.get(settings.role, settings.diary.port)
    host = settings.diary.host
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 - asked for, not bound


def _refusal(settings: Settings, plan: Plan) -> str | None:
    """Why nothing may be done now, and what to do about it."""
    app_id = settings.names.app_id(app_role(settings, plan.role))
    try:
        refuse_if_alive(plan.group, StoredTables(settings.data_directory, app_id))
    except StillRunning as error:
        return f"{error}{_managed(settings)}"
    return None


def _managed(settings: Settings) -> str:
    """The process that `streamapp up` started, if that is the one in the way."""
    with suppress(Unavailable):
        for role in Installation(settings, say).role_status():
            if role.name == "streams" and role.running:
                return f". `streamapp up` runs it as process {role.pid}: `kill {role.pid}` stops it"
    return ""


def _document(plan: Plan) -> dict[str, Any]:
    partitions = [{**asdict(item), "again": item.again} for item in plan.partitions]
    return {
        "role": plan.role,
        "group": asdict(plan.group),
        "from": plan.start.text,
        "wipe": plan.wipe,
        "partitions": partitions,
        "tables": [asdict(table) for table in plan.tables],
    }
