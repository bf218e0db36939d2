"""The command: exit codes, text and JSON; what it says when nothing answers, or something else does."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from pydantic import SecretStr

from brokers.ports import free_ports
from streamapp.cli import doctor as command
from streamapp.cli.commands import main
from streamapp.cli.diary_views import DiaryViews
from streamapp.cli.looks import take
from streamapp.cli.role_groups import behind
from streamapp.clock import SystemClock
from streamapp.doctor import Check, Finding, Silent, Verdict
from streamapp.doctor.look import DiaryLook, Told
from streamapp.domain.errors import Unavailable
from streamapp.domain.progress import State
from streamapp.guard import GuardInspection
from streamapp.settings import Settings
from streamapp.settings.groups import DiarySettings, RabbitSettings
from streamapp.stream import topics
from streamapp.stream.topic_log import Bounds

CHECKS = [
    "topics",
    "ingest",
    "dispatch",
    "diary",
    "queues",
    "redis",
    "epoch",
    "workers",
    "jobs",
    "messages",
    "runs",
    "claims",
    "stuck",
    "anomalies",
    "unreadable",
]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STREAMAPP_")]:
        monkeypatch.delenv(name)


def run(*arguments: str, **environment: str) -> Result:
    settings: dict[str, str | None] = {f"STREAMAPP_{name}": value for name, value in environment.items()}
    return CliRunner().invoke(main, ["doctor", *arguments], env=settings)


def say(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> None:
    async def examine(_: Settings) -> list[Check]:
        return list(checks)

    monkeypatch.setattr(command, "examine", examine)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.OK], 0),
        ([Verdict.OK, Verdict.WARNING], 0),
        ([Verdict.WARNING, Verdict.WRONG], 1),
        ([Verdict.OK, Verdict.UNKNOWN], 1),
    ],
)
def test_exit_code_and_document(monkeypatch: pytest.MonkeyPatch, verdicts: list[Verdict], code: int) -> None:
    say(monkeypatch, *(Check(f"c{number}", verdict, "says") for number, verdict in enumerate(verdicts)))
    assert run().exit_code == code
    answer = run("--json")
    document = json.loads(answer.stdout)
    assert answer.exit_code == code
    assert document["healthy"] == (code == 0)
    assert document["verdict"] == verdicts[-1]
    assert [check["verdict"] for check in document["checks"]] == verdicts


def test_text_has_what_to_do_and_findings_without_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = [Finding(f"odd {number}", "[red]t[/red]") for number in range(command.SHOWN + 5)]
    say(monkeypatch, Check("claims", Verdict.WRONG, "25 [bold]odd", "look", tuple(odd)))
    said = run().stdout
    assert "25 [bold]odd" in said
    assert "claims, wrong: look" in said
    assert "[red]t[/red]: odd 0" in said
    assert "and 5 more" in said


def test_wrong_settings_end_with_2() -> None:
    answer = run(KAFKA__LIFECYCLE_PARTITIONS="none")
    assert answer.exit_code == 2
    assert "STREAMAPP_KAFKA__LIFECYCLE_PARTITIONS" in answer.stderr
    assert run(REDIS__URL="http://user:secret@127.0.0.1").exit_code == 2


def test_with_everything_down_each_is_said_and_the_command_ends() -> None:
    kafka, rabbitmq, redis, diary = (str(port) for port in free_ports(4))
    answer = run(
        "--json",
        KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{kafka}",
        RABBITMQ__URL=f"amqp://guest:guest@127.0.0.1:{rabbitmq}/",
        REDIS__URL=f"redis://127.0.0.1:{redis}/0",
        DIARY__PORT=diary,
        GUARD__LEASE_SECONDS="1",
    )
    assert answer.exit_code == 1
    found = {check["name"]: check for check in json.loads(answer.stdout)["checks"]}
    assert list(found) == CHECKS
    verdicts = {name: check["verdict"] for name, check in found.items()}
    assert verdicts == dict.fromkeys(CHECKS, "unknown") | {"diary": "wrong"}
    for name, who in {"topics": "Kafka", "queues": "RabbitMQ", "redis": "Redis", "stuck": f":{diary}"}.items():
        assert who in found[name]["says"]
    assert "guest" not in answer.stdout


@asynccontextmanager
async def answering(pages: dict[str, Any]) -> AsyncIterator[DiaryViews]:
    """A server that answers these pages, and nothing else."""

    async def answer(request: web.Request) -> web.Response:
        found = pages.get(request.path, (404, {"title": "nothing"}))
        status, page = found() if callable(found) else found
        return web.json_response(page, status=status)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = urlsplit(str(site._server.sockets[0].getsockname()[1])).path  # type: ignore[union-attr]
        yield DiaryViews(Settings(diary=DiarySettings(port=int(port))))
    finally:
        await runner.cleanup()


async def test_a_diary_that_is_not_ready_says_why() -> None:
    overview = {"stale": True, "missingPartitions": [2], "lag": {"total": 7}}
    async with answering({"/readyz": (503, {"reasons": ["restoring"]}), "/v1/overview": (200, overview)}) as views:
        says = await views.says()
    assert (says.reasons, says.stale, says.missing, says.behind) == (("restoring",), True, (2,), 7)


@pytest.mark.parametrize("page", [{}, [], {"tasks": 3}, {"tasks": [{}], "next": None}, {"states": {"ODD": 1}}, None])
async def test_something_else_at_the_diarys_address_is_no_answer(page: Any) -> None:
    async with answering({"/v1/tasks": (200, page), "/v1/totals": (200, page), "/v1/stuck": (200, page)}) as views:
        for asking in (views.of_state(State.RUNNING, 10), views.sums(), views.stuck(), views.newest_epoch()):
            with pytest.raises(Unavailable, match="not this version's diary"):
                await asking


async def test_a_look_says_who_was_silent_and_what_moved_meanwhile() -> None:
    line = {"taskId": "t", "state": "RUNNING", "attempt": 2, "expected": {"by": "1970-01-01T00:00:09.000Z"}}
    started = iter((3, 8))

    def sums() -> tuple[int, Any]:
        facts = {"TaskExecutionStarted": next(started), "TaskDispatched": 1}
        return 200, {"states": {"RUNNING": 1}, "facts": facts, "unreadable": 0}

    pages: dict[str, Any] = {
        "/readyz": (200, {"reasons": []}),
        "/v1/overview": (200, {"stale": False, "missingPartitions": [], "lag": {"total": 7}}),
        "/v1/tasks": (200, {"tasks": [line], "next": None}),
        "/v1/totals": sums,
    }
    rabbitmq, redis = free_ports(2)
    settings = Settings(rabbitmq=RabbitSettings(url=SecretStr(f"amqp://guest:guest@127.0.0.1:{rabbitmq}/")))
    async with answering(pages) as views, GuardInspection(f"redis://127.0.0.1:{redis}/0", "x:", 1) as guard:
        look = await take(settings, views, guard, SystemClock())
    assert isinstance(look.guard, Silent)
    assert isinstance(look.queues, Silent)
    assert isinstance(look.diary, DiaryLook)
    assert look.diary.running == (Told("t", State.RUNNING, 2, 9_000),)
    assert (look.diary.started_meanwhile, look.diary.dispatched_meanwhile, look.diary.behind) == (5, 0, 7)
    assert look.diary.told == {"t": look.diary.running[0]}
    assert look.diary.blind == ""


async def test_a_problem_of_the_diary_is_told_in_its_words() -> None:
    async with answering({"/v1/totals": (503, {"title": "t", "detail": "too many wait"})}) as views:
        with pytest.raises(Unavailable, match="answers 503: too many wait"):
            await views.sums()


def test_records_behind_a_group_start_where_the_topic_starts() -> None:
    bounds = {0: Bounds(10, 50), 1: Bounds(0, 5), 2: Bounds(7, 7)}
    assert behind("t", bounds, {("t", 0): 45, ("other", 1): 5}) == 10
    assert behind("t", bounds, {}) == 45
    assert behind("t", bounds, {("t", 0): 99, ("t", 1): 99, ("t", 2): 99}) == 0


def test_a_topic_that_breaks_a_rule_is_told_with_the_rule() -> None:
    plan = topics.TopicPlan("t", 8, 1, {"retention.ms": "-1", "cleanup.policy": "delete"})
    kept = {"retention.ms": "-1", "cleanup.policy": "delete", "other": "1"}
    assert topics.fault(plan, 8, kept) is None
    assert "has 4 partitions" in str(topics.fault(plan, 4, kept))
    assert "--add-config retention.ms=-1" in str(topics.fault(plan, 8, {**kept, "retention.ms": "1000"}))
    assert "cleanup.policy=None" in str(topics.fault(plan, 8, {"retention.ms": "-1"}))
