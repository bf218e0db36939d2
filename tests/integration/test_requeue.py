"""What has failed for good, tried again: real roles on real brokers, asked by the command line and over HTTP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from streamapp.audit import Evidence, Line, audit
from tests.support.brokers import RunningBrokers
from tests.support.command import Command
from tests.support.lived import Lived, lived
from tests.support.stack import PROJECT, RoleProcess
from tests.support.waiting import until

MODULE = '["tests.support.mended"]'


class Place:
    """Every role, and a directory in which things are broken until they are mended."""

    def __init__(self, life: Lived, directory: Path, streams: RoleProcess, api: RoleProcess) -> None:
        self.life, self.directory, self.streams, self.api = life, directory, streams, api
        self.command = Command(life.made, API__PORT=str(urlsplit(api.url).port))

    @property
    def runs(self) -> Counter[str]:
        file = self.directory / "runs"
        return Counter(file.read_text().split()) if file.exists() else Counter()

    def mend(self) -> None:
        (self.directory / "mended").touch()

    def breaks(self) -> None:
        (self.directory / "mended").unlink(missing_ok=True)

    async def post(self, path: str, body: Any, key: str | None = None) -> tuple[int, Any]:
        headers = {} if key is None else {"Idempotency-Key": key}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.api.url + path, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def submit(self, *task_ids: str) -> None:
        payload = {"directory": str(self.directory)}
        tasks = [{"type": "MENDABLE", "payload": payload, "taskId": task_id} for task_id in task_ids]
        status, answer = await self.post("/v1/tasks:batch", {"tasks": tasks})
        assert status == 202, answer

    async def requeue(self, *task_ids: str, key: str | None = None) -> None:
        body = {"taskIds": list(task_ids), "actor": "ann", "reason": "mended"}
        status, answer = await self.post("/v1/requeues", body, key)
        assert status == 202, answer
        assert [item["taskId"] for item in answer["requeues"]] == list(task_ids)

    async def view(self, task_id: str) -> Any:
        _, view = await self.streams.get(f"/v1/tasks/{task_id}")
        return view

    async def reaches(self, state: str, attempt: int, *task_ids: str) -> None:
        async def all_there() -> bool:
            views = [await self.view(task_id) for task_id in task_ids]
            return all((view.get("state"), view.get("attempt")) == (state, attempt) for view in views)

        await until(all_there, 60, f"{task_ids} reach {state} in attempt {attempt}", every=0.2)

    async def settled(self) -> None:
        """Nothing is due any more, and the views have seen everything."""
        await self.life.calm()
        await self.life.applied(self.streams)


@pytest.fixture(scope="module")
async def place(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("requeue")
    settings = {"TASKS__TYPES": MODULE, "TASKS__HANDLERS": MODULE, "GUARD__LEASE_SECONDS": "2"}
    async with lived(brokers_stack.endpoints, folder / "installation", **settings) as life:
        life.made.surroundings["PYTHONPATH"] = str(PROJECT)  # the `faust` command looks for modules beside itself only
        await Command(life.made).run("setup")
        streams = await life.made.started()
        api = await life.made.started("api")
        worker = life.made.start("worker")
        await streams.gates_open()
        made = Place(life, folder, streams, api)
        yield made
        for process in (worker, api, made.streams):
            assert process.stop() == 0
            assert process.troubles() == []
        assert await life.odd_rows(life.made.tables("all")) == []
        records = await life.kafka.read(life.topic)
        log = [Line(part, row.offset, row.at, row.key, row.value) for part, rows in records.items() for row in rows]
        assert audit(Evidence(log, drained=True)).findings == []


async def test_a_task_that_failed_for_good_is_requeued_runs_once_more_and_completes(place: Place) -> None:
    place.breaks()
    await place.submit("mail")
    await place.reaches("FAILED_PERMANENTLY", 1, "mail")
    preview = await place.command.document("requeue", "mail", "nobody", "--reason", "mended", "--dry-run")
    assert (preview["effective"], [task["state"] for task in preview["tasks"]]) == (
        1,
        ["FAILED_PERMANENTLY", "UNKNOWN"],
    )
    place.mend()
    sent = await place.command.document("requeue", "mail", "--reason", "the mail server is back", "--actor", "ann")
    await place.reaches("COMPLETED", 2, "mail")
    await place.settled()
    view = await place.view("mail")
    assert (view["requeues"], view["failures"], view["result"], view["anomalies"]) == (1, 0, {"attempt": 2}, [])
    told = [(fact["fact"], fact["attempt"]) for fact in view["facts"]]
    assert told[4:6] == [("TaskFailedPermanently", 1), ("TaskRequeued", 2)]
    assert sorted(told[6:]) == [("TaskDispatched", 2), ("TaskExecutionCompleted", 2), ("TaskExecutionStarted", 2)]
    requeued = view["facts"][5]
    assert requeued["detail"] == {"actor": "ann", "reason": "the mail server is back"}
    assert requeued["source"].startswith("/streamapp/api/")
    position = sent["requeues"][0]["position"]
    assert (position["partition"], position["offset"]) == (requeued["partition"], requeued["offset"])
    assert (view["attempts"][1]["requeuedBy"], view["attempts"][1]["reason"]) == ("ann", "the mail server is back")
    assert {name: count for name, count in place.runs.items() if name.startswith("mail:")} == {"mail:1": 1, "mail:2": 1}
    assert "TaskRequeued(2)" in (await place.command.run("show", "mail"))[0]


async def test_requeued_twice_with_the_same_key_runs_once(place: Place) -> None:
    place.breaks()
    await place.submit("twice")
    await place.reaches("FAILED_PERMANENTLY", 1, "twice")
    await place.requeue("twice", key="k-1")
    await place.requeue("twice", key="k-1")
    await place.reaches("FAILED_PERMANENTLY", 2, "twice")
    await place.requeue("twice", key="k-1")
    await place.settled()
    view = await place.view("twice")
    assert (view["state"], view["attempt"], view["requeues"], view["duplicates"]) == ("FAILED_PERMANENTLY", 2, 1, 2)
    assert place.runs["twice:2"] == 1
    assert "twice:3" not in place.runs
    assert "twice:3" not in place.life.tap.ids
    place.mend()
    await place.requeue("twice", key="k-2")
    await place.reaches("COMPLETED", 3, "twice")


async def test_requeue_of_a_completed_task_does_nothing_and_is_kept_as_an_anomaly(place: Place) -> None:
    place.mend()
    await place.submit("done")
    await place.reaches("COMPLETED", 1, "done")
    await place.requeue("done", "never-heard-of")
    await place.settled()
    view = await place.view("done")
    assert (view["state"], view["attempt"], view["requeues"]) == ("COMPLETED", 1, 0)
    assert [(item["fact"], "COMPLETED" in item["reason"]) for item in view["anomalies"]] == [("TaskRequeued", True)]
    assert place.runs["done:1"] == 1
    assert "done:2" not in place.life.tap.ids
    stranger = await place.view("never-heard-of")
    assert stranger["state"] == "UNKNOWN"
    assert "never accepted" in stranger["anomalies"][0]["reason"]
    assert not [name for name in place.life.tap.ids if name.startswith("never-heard-of")]


async def test_many_are_requeued_while_the_dispatcher_is_killed_and_each_runs_once_more(place: Place) -> None:
    place.breaks()
    names = [f"many-{number}" for number in range(60)]
    await place.submit(*names)
    await place.reaches("FAILED_PERMANENTLY", 1, *names)
    await place.settled()
    place.mend()
    await place.requeue(*names[:30], key="sweep")
    place.streams.kill()
    await place.requeue(*names, key="sweep")
    place.streams = await place.life.made.started()
    await place.reaches("COMPLETED", 2, *names)
    await place.settled()
    assert {name: place.runs[f"{name}:2"] for name in names} == dict.fromkeys(names, 1)
    assert not [name for name in place.runs if name.startswith("many-") and name.endswith(":3")]
    views = await asyncio.gather(*(place.view(name) for name in names))
    assert {view["requeues"] for view in views} == {1}


async def test_tables_folded_anew_bring_nothing_back(place: Place) -> None:
    place.mend()
    await place.submit("anew")
    await place.reaches("COMPLETED", 1, "anew")
    await place.settled()
    runs, jobs = place.runs, Counter(place.life.tap.ids)
    assert place.streams.stop() == 0
    await place.command.run("replay", "all", "--wipe", "--yes")
    place.streams = await place.life.made.started()
    await place.streams.gates_open()
    await place.settled()
    assert (place.runs, Counter(place.life.tap.ids)) == (runs, jobs)
