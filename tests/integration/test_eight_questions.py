"""The eight questions of an operator, answered for a history with trouble in it, from facts alone.

A burst of failures, RabbitMQ hanging under load, two outcomes that contradict each other, and a task that nothing
happens to. Real roles on real brokers; asked of the diary's views and once more by the command line.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from streamapp.domain.facts import Token
from streamapp.domain.outcome import Failed
from streamapp.wire.scribe import Scribe
from tests.support.brokers import RunningBrokers
from tests.support.command import Command
from tests.support.lived import Lived, lived
from tests.support.stack import PROJECT, RoleProcess
from tests.support.waiting import until

MODULE = '["tests.support.mended"]'
GOOD, BURST, MEANWHILE = 5, 12, 10
HANGS_SECONDS = 5.0
OVERDUE_SECONDS = 40.0

pytestmark = pytest.mark.timeout(240)


def now() -> str:
    """RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class History:
    """What has happened, and who can be asked."""

    def __init__(self, life: Lived, directory: str, streams: RoleProcess, api: RoleProcess) -> None:
        self.life, self.directory, self.streams, self.api = life, directory, streams, api
        self.command = Command(life.made)
        self.outage = ("", "")

    async def submit(self, *task_ids: str) -> None:
        payload = {"directory": self.directory}
        tasks = [{"type": "MENDABLE", "payload": payload, "taskId": task_id} for task_id in task_ids]
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.api.url}/v1/tasks:batch", json={"tasks": tasks}) as answer,
        ):
            assert answer.status == 202, await answer.text()

    async def view(self, path: str) -> Any:
        status, answer = await self.streams.get(f"/v1/{path}", 30)
        assert status == 200, answer
        return answer

    async def reach(self, state: str, *task_ids: str) -> None:
        async def all_there() -> bool:
            return all([(await self._state(task_id)) == state for task_id in task_ids])

        await until(all_there, 60, f"{task_ids} reach {state}", every=0.2)

    async def _state(self, task_id: str) -> str | None:
        _, answer = await self.streams.get(f"/v1/tasks/{task_id}")
        state: str | None = answer.get("state")
        return state

    async def contradict(self, task_id: str) -> None:
        """Tell that the task has failed, too, in another worker's name."""
        scribe = Scribe("worker", "somebody-else", now)
        fact = scribe.ended(task_id, 1, "somebody-else", Token(0, 1), Failed("Odd", "it has not", False), 7)
        await self.life.kafka.tell(self.life.topic, [fact])


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


@pytest.fixture(scope="module")
async def history(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[History]:
    folder = tmp_path_factory.mktemp("questions")
    rabbitmq = brokers_stack.stack.rabbitmq
    settings = {"TASKS__TYPES": MODULE, "TASKS__HANDLERS": MODULE, "GUARD__LEASE_SECONDS": "2"}
    async with lived(brokers_stack.endpoints, folder / "installation", **settings) as life:
        life.made.surroundings["PYTHONPATH"] = str(PROJECT)
        await Command(life.made).run("setup")
        streams = await life.made.started()
        api, worker = await life.made.started("api"), life.made.start("worker")
        await streams.gates_open()
        made = History(life, str(folder), streams, api)

        await made.submit(*names("burst", BURST))
        await made.reach("FAILED_PERMANENTLY", *names("burst", BURST))
        (folder / "mended").touch()
        await made.submit(*names("good", GOOD))
        await made.reach("COMPLETED", *names("good", GOOD))
        await made.contradict("good-0")
        begun = now()
        rabbitmq.pause()
        try:
            await made.submit(*names("meanwhile", MEANWHILE))
            await asyncio.sleep(HANGS_SECONDS)
        finally:
            rabbitmq.resume()
        await made.reach("COMPLETED", *names("meanwhile", MEANWHILE))
        made.outage = (begun, now())
        assert worker.stop() == 0
        rabbitmq.pause()
        try:
            await made.submit("stuck")
            await until(lambda: _stuck(made), OVERDUE_SECONDS, "a task is overdue", every=0.5)
            yield made
        finally:
            rabbitmq.resume()
        worker = life.made.start("worker", "worker-2")
        await made.reach("COMPLETED", "stuck")
        await life.applied(streams)
        for process in (worker, api, streams):
            assert process.stop() == 0
            assert process.troubles() == []
        assert await life.odd_rows(life.made.tables("all")) == []


async def _stuck(history: History) -> bool:
    return bool((await history.view("stuck"))["tasks"])


async def test_in_which_state_is_it_and_since_when(history: History) -> None:
    states = {name: (await history.view(f"tasks/{name}"))["state"] for name in ("good-1", "burst-0", "stuck")}
    assert states == {"good-1": "COMPLETED", "burst-0": "FAILED_PERMANENTLY", "stuck": "ACCEPTED"}
    counts = (await history.view("overview"))["states"]
    assert (counts["COMPLETED"], counts["FAILED_PERMANENTLY"]) == (GOOD + MEANWHILE, BURST)


async def test_when_was_it_accepted_dispatched_started_and_ended(history: History) -> None:
    task = await history.view("tasks/good-1")
    times = {fact["fact"]: fact["at"] for fact in task["facts"]}
    assert times.keys() == {"TaskAccepted", "TaskDispatched", "TaskExecutionStarted", "TaskExecutionCompleted"}
    assert task["acceptedAt"] == times["TaskAccepted"] == min(times.values())
    assert task["endedAt"] == times["TaskExecutionCompleted"] == max(times.values())
    assert all(isinstance(fact["offset"], int) and isinstance(fact["partition"], int) for fact in task["facts"])


async def test_which_worker_had_each_attempt(history: History) -> None:
    (attempt,) = (await history.view("tasks/good-1"))["attempts"]
    (start,) = attempt["starts"]
    workers = {worker["worker"]: worker for worker in (await history.view("workers"))["workers"]}
    worker = workers[start["worker"]]
    assert (worker["completed"], worker["failed"]) == (GOOD + MEANWHILE, BURST)
    assert worker["failureRate"] == pytest.approx(BURST / (GOOD + MEANWHILE + BURST), abs=0.001)


async def test_how_many_attempts_and_why(history: History) -> None:
    task = await history.view("tasks/burst-0")
    assert (task["attempt"], task["failures"], len(task["attempts"])) == (1, 1, 1)
    (outcome,) = task["attempts"][0]["outcomes"]
    assert "still broken" in str(outcome)
    listed = await history.view("tasks?state=FAILED_PERMANENTLY&limit=500")
    assert {line["taskId"] for line in listed["tasks"]} == set(names("burst", BURST))


async def test_what_is_stuck_and_what_is_missing(history: History) -> None:
    (line,) = (await history.view("stuck"))["tasks"]
    assert (line["taskId"], line["state"], line["expected"]["what"]) == ("stuck", "ACCEPTED", "dispatch")
    assert line["why"]
    overview = await history.view("overview")
    assert "outbox-waiting" in {warning["slug"] for warning in overview["warnings"]}
    assert (overview["stuck"], overview["open"]) == (1, 1)


async def test_what_fails_most_often(history: History) -> None:
    found = (await history.view("failures"))["failures"]
    assert (found[0]["type"], found[0]["count"], found[0]["permanent"]) == ("MENDABLE", BURST, BURST)
    assert set(found[0]["examples"]) <= set(names("burst", BURST))
    assert found[0]["firstAt"] <= found[0]["lastAt"]


async def test_how_long_it_takes_from_end_to_end(history: History) -> None:
    found = await history.view("latencies")
    assert found["endToEnd"]["count"] == GOOD + MEANWHILE
    assert found["byType"]["MENDABLE"]["endToEnd"]["count"] == GOOD + MEANWHILE
    assert found["endToEnd"]["p50"] <= found["endToEnd"]["p99"]
    assert found["endToEnd"]["sumMs"] >= MEANWHILE * HANGS_SECONDS * 1000 * 0.5, "those that RabbitMQ kept waiting"


async def test_did_it_behave_while_rabbitmq_was_away(history: History) -> None:
    first, last = history.outage
    report = await history.view(f"outage?from={quote(first)}&to={quote(last)}")
    assert (report["accepted"], report["verdict"], report["unexplained"]) == (MEANWHILE, "as-designed", 0)
    assert report["waited"]["count"] == MEANWHILE
    assert report["waited"]["maxMs"] >= HANGS_SECONDS * 1000 * 0.8
    assert report["findings"]


async def test_the_contradiction_is_kept_and_changes_nothing(history: History) -> None:
    assert (await history.view("tasks/good-0"))["state"] == "COMPLETED"
    (odd,) = (await history.view("anomalies"))["anomalies"]
    assert (odd["taskId"], odd["fact"]) == ("good-0", "TaskExecutionFailed")
    (line,) = (await history.view("tasks?anomaly=true"))["tasks"]
    assert line["taskId"] == "good-0"
