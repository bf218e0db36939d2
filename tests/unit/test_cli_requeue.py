"""`streamapp requeue`: what is sent, at what rate, and what is said when it does not come to an end."""

import json
import os
import pwd
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamapp.cli import client
from streamapp.cli.commands import main
from streamapp.domain.errors import Unavailable


class Services:
    """Api and diary as the command reaches them: every call, and what is answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str, Any, dict[str, str]]] = []
        self.answers: list[tuple[int, Any] | Exception] = []
        self.pauses: list[float] = []
        self.tasks: dict[str, tuple[int, Any]] = {}
        monkeypatch.setattr(client, "call", self.call)
        monkeypatch.setattr("streamapp.cli.requeue.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def call(
        self, method: str, url: str, *, body: Any = None, headers: Any = None, seconds: float = 0
    ) -> tuple[int, Any]:
        self.calls.append((method, url, body, headers or {}))
        if method == "GET":
            name = url.rsplit("/", 1)[1]
            if name not in self.tasks:
                raise Unavailable("the diary is gone")
            return self.tasks[name]
        answer = self.answers.pop(0) if self.answers else (202, recorded(body["taskIds"]))
        if isinstance(answer, Exception):
            raise answer
        return answer


def recorded(task_ids: list[str]) -> dict[str, Any]:
    place = {"topic": "t", "partition": 0, "offset": 1}
    return {"requeues": [{"taskId": task_id, "position": place} for task_id in task_ids]}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    for name in list(os.environ):
        if name.startswith("STREAMAPP_"):
            monkeypatch.delenv(name)
    return Services(monkeypatch)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["requeue", *arguments], input=stdin)


def test_the_list_goes_to_the_api_with_actor_reason_and_a_key(services: Services) -> None:
    result = run("t-1", "t-2", "t-1", "--reason", "mended", "--json")
    assert result.exit_code == 0
    ((method, url, body, headers),) = services.calls
    assert (method, url) == ("POST", "http://127.0.0.1:8000/v1/requeues")
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert body == {"taskIds": ["t-1", "t-2"], "actor": user, "reason": "mended"}
    document = json.loads(result.stdout)
    assert document["requeues"] == recorded(["t-1", "t-2"])["requeues"]
    assert (document["idempotencyKey"], document["problem"]) == (headers["Idempotency-Key"], None)


def test_actor_and_key_may_be_named(services: Services) -> None:
    result = run("t", "--reason", "r", "--actor", "ann", "--idempotency-key", "k")
    assert result.exit_code == 0
    assert "1 requeued" in result.stdout
    assert services.calls[0][2]["actor"] == "ann"
    assert services.calls[0][3] == {"Idempotency-Key": "k"}


def test_many_ids_from_standard_input_go_at_a_bounded_rate_under_one_key(services: Services) -> None:
    ids = [f"t-{number}" for number in range(25)]
    result = run("-", "--reason", "r", "--rate", "10", stdin="\n".join([*ids, "", " t-3 "]))
    assert result.exit_code == 0
    assert [len(call[2]["taskIds"]) for call in services.calls] == [10, 10, 5]
    assert [task_id for call in services.calls for task_id in call[2]["taskIds"]] == ids
    assert len({call[3]["Idempotency-Key"] for call in services.calls}) == 1
    assert services.pauses == [1, 1]


def test_no_ids_is_wrong(services: Services) -> None:
    assert run("-", "--reason", "r", stdin="\n").exit_code == 2
    assert run("--reason", "r").exit_code == 2
    assert run("t").exit_code == 2
    assert services.calls == []


def test_what_is_not_answered_can_be_repeated_with_the_same_key(services: Services) -> None:
    partly = {**recorded(["t-0"]), "title": "Not acknowledged", "status": 503, "detail": "1 of 2", "outcome": "unknown"}
    partly["requeues"].append({"taskId": "t-1", "outcome": "unknown"})
    services.answers = [(503, partly)]
    result = run("t-0", "t-1", "t-2", "--reason", "r", "--rate", "2", "--idempotency-key", "k", "--json")
    assert result.exit_code == 1
    assert len(services.calls) == 1, "nothing goes on behind what failed"
    document = json.loads(result.stdout)
    assert [item["taskId"] for item in document["requeues"]] == ["t-0"]
    assert document["problem"]["detail"] == "1 of 2"
    assert "2 of 3" in result.stderr
    assert "--idempotency-key k" in result.stderr


def test_an_api_that_is_gone_is_told_with_the_key(services: Services) -> None:
    services.answers = [Unavailable("no route")]
    result = run("t", "--reason", "r", "--idempotency-key", "k")
    assert result.exit_code == 1
    assert "no route" in result.stderr
    assert "--idempotency-key k" in result.stderr


def test_what_the_api_finds_invalid_is_wrong(services: Services) -> None:
    errors = [{"pointer": "/reason", "detail": "too long"}]
    services.answers = [(422, {"title": "Not valid", "status": 422, "detail": "/reason too long", "errors": errors})]
    result = run("t", "--reason", "r")
    assert result.exit_code == 2
    assert "/reason: too long" in result.stderr


def test_a_dry_run_sends_nothing_and_says_what_would_come_of_it(services: Services) -> None:
    services.tasks = {
        "failed": (200, {"state": "FAILED_PERMANENTLY", "attempt": 3}),
        "done": (200, {"state": "COMPLETED", "attempt": 1}),
        "nobody": (404, {"title": "Task unknown"}),
        "moving": (503, {"title": "Partition recovering"}),
    }
    names = ["failed", "done", "nobody", "moving", "silent", "[red]odd[/red]"]
    result = run(*names, "--reason", "r", "--dry-run", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    states = ["FAILED_PERMANENTLY", "COMPLETED", "UNKNOWN", None, None, None]
    assert [task["state"] for task in document["tasks"]] == states
    assert (document["effective"], document["unanswered"]) == (1, 3)
    text = run(*names, "--reason", "r", "--dry-run").stdout
    assert "1 of 6 would be tried again; nothing was sent" in text
    assert "[red]odd[/red]" in text
    assert all(call[0] == "GET" for call in services.calls)
