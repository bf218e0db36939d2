"""`streamapp doctor` beside a running system: well when all is well, and every incident is named by the right check."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import pytest
import redis.asyncio

from brokers.ports import free_ports
from streamapp.guard import GuardInspection
from streamapp.guard.keys import Keys
from streamapp.queue import depth
from streamapp.stream.groups import describe_group
from streamapp.stream.topic_removal import existing
from streamapp.wire import jobs
from streamapp.wire.jobs import Job
from tests.support.brokers import RunningBrokers
from tests.support.command import Command
from tests.support.lived import Lived, lived
from tests.support.rabbitmq import beneath
from tests.support.stack import PROJECT, RoleProcess, installation
from tests.support.waiting import until

TYPES = '["tests.support.mended", "tests.support.worker_types"]'
HANDLERS = '["tests.support.mended", "tests.support.worker_handlers"]'
LEASE_SECONDS = 2
LOST_AFTER_SECONDS = 15
WELL = {"ok", "warning"}
BOOKS = ("jobs", "messages", "runs", "claims")


class Place:
    """Every role; short tasks that succeed at once, and long ones that wait for a file."""

    def __init__(self, life: Lived, directory: Path, streams: RoleProcess, api: RoleProcess) -> None:
        self.life, self.directory, self.streams, self.api = life, directory, streams, api
        self.made = life.made
        self.command = Command(self.made)
        self.workers: list[RoleProcess] = []
        self.keys = Keys(self.made.names.guard_prefix)
        self.queue = self.made.names.queue("task-execution")
        self.redis = redis.asyncio.Redis.from_url(self.made.endpoints.redis_url)

    async def start_worker(self) -> RoleProcess:
        worker = self.made.start("worker", f"worker-{len(self.workers)}")
        self.workers.append(worker)

        async def works() -> bool:
            registered = [name async for name in self.redis.scan_iter(self.keys.worker("*"))]
            consumed = (await depth(self.made.endpoints.rabbitmq_url, [self.queue]))[self.queue].consumers
            return bool(registered) and consumed > 0

        await until(works, 60, "a worker is registered and consumes", every=0.2)
        return worker

    async def submit(self, *task_ids: str, type: str = "MENDABLE") -> None:
        payload = {"directory": str(self.directory)}
        tasks = [{"type": type, "payload": payload, "taskId": task_id} for task_id in task_ids]
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.api.url}/v1/tasks:batch", json={"tasks": tasks}) as answer,
        ):
            assert answer.status == 202, await answer.text()

    async def reaches(self, state: str, *task_ids: str, seconds: float = 60) -> None:
        async def there() -> bool:
            views = [(await self.streams.get(f"/v1/tasks/{task_id}"))[1] for task_id in task_ids]
            return all(view.get("state") == state for view in views)

        await until(there, seconds, f"{task_ids} reach {state}", every=0.2)

    def go(self) -> None:
        """The long tasks may end."""
        (self.directory / "go").touch()

    def hold(self) -> None:
        (self.directory / "go").unlink(missing_ok=True)

    async def doctor(self, code: int, **settings: str) -> dict[str, Any]:
        """Its checks by name."""
        command = Command(self.made, **settings) if settings else self.command
        document = await command.document("doctor", code=code)
        assert document["healthy"] == (code == 0)
        return {check["name"]: check for check in document["checks"]}

    async def well(self) -> None:
        """Wait until the doctor has nothing to say: what an incident leaves behind takes a moment to go."""
        found: dict[str, Any] = {}
        for _ in range(6):
            document = await self._any()
            found = {check["name"]: check for check in document["checks"] if check["verdict"] not in WELL}
            if not found:
                return
        raise AssertionError(f"not well: {found}")

    async def _any(self) -> Any:
        with contextlib.suppress(AssertionError):
            return await self.command.document("doctor")
        with contextlib.suppress(AssertionError):
            return await self.command.document("doctor", code=1)
        raise AssertionError("the doctor ended with neither 0 nor 1")


@pytest.fixture(scope="module")
async def place(
    brokers_stack: RunningBrokers, own_redis: RunningBrokers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "mended").touch()
    endpoints = replace(brokers_stack.endpoints, redis_url=own_redis.endpoints.redis_url)
    settings = {
        "TASKS__TYPES": TYPES,
        "TASKS__HANDLERS": HANDLERS,
        "GUARD__LEASE_SECONDS": str(LEASE_SECONDS),
        "DISPATCH__LOST_AFTER_SECONDS": str(LOST_AFTER_SECONDS),
        "DISPATCH__RECONCILE_SECONDS": "2",
    }
    async with lived(endpoints, folder / "installation", **settings) as life:
        life.made.surroundings["PYTHONPATH"] = str(PROJECT)  # the `faust` command looks for modules beside itself only
        await Command(life.made).run("setup")
        streams = await life.made.started()
        api = await life.made.started("api")
        await streams.gates_open()
        made = Place(life, folder, streams, api)
        await made.start_worker()
        yield made
        await made.redis.aclose()


async def test_a_system_under_light_load_is_well(place: Place) -> None:
    done = asyncio.Event()

    async def load() -> None:
        number = 0
        while not done.is_set():
            await place.submit(*(f"light-{number + index}" for index in range(5)))
            number += 5
            await asyncio.sleep(0.1)

    place.hold()
    await place.submit("long-1", "long-2", type="HOLD")
    await place.reaches("RUNNING", "long-1", "long-2")
    loading = asyncio.create_task(load())
    try:
        found = await place.doctor(0)
    finally:
        done.set()
        await loading
        place.go()
    assert {check["verdict"] for check in found.values()} == {"ok"}, found
    assert found["epoch"]["says"].endswith("that of the newest starts")
    assert found["workers"]["says"].startswith("1 registered")
    assert not found["runs"]["says"].startswith("0 tasks run")
    await place.reaches("COMPLETED", "long-1", "long-2")


async def test_it_says_the_same_in_text(place: Place) -> None:
    said, _ = await place.command.run("doctor")
    named = [line.split()[0] for line in said.splitlines() if line and not line.startswith(" ")]
    assert named == [
        "check",
        *("topics", "ingest", "dispatch", "diary", "queues", "redis", "epoch", "workers"),
        *BOOKS,
        *("stuck", "anomalies", "unreadable"),
    ]


async def test_a_claim_forged_in_redis_is_named(place: Place) -> None:
    seconds, _ = await place.redis.time()
    now = int(seconds) * 1000
    claim = {"status": "active", "attempt": 1, "epoch": 1, "claim": 1, "owner": "stranger", "until": now + 600_000}
    await place.redis.hset(place.keys.task("forged"), mapping={**claim, "alone": "0", "deaths": 0})
    await place.redis.zadd(place.keys.jobs("active"), {"forged:1": now - 60_000})
    try:
        found = await place.doctor(1)
        [odd] = found["claims"]["findings"]
        assert (odd["taskId"], odd["explained"]) == ("forged", False)
        assert "stranger holds attempt 1 under claim 1.1" in odd["says"]
        assert {name for name, check in found.items() if check["verdict"] not in WELL} == {"claims"}
    finally:
        await place.redis.delete(place.keys.task("forged"))
        await place.redis.zrem(place.keys.jobs("active"), "forged:1")
    await place.well()


async def test_a_message_forged_into_a_queue_that_nobody_consumes_is_counted(place: Place) -> None:
    assert place.workers[-1].stop() == 0
    body = jobs.encode(Job("stranger", 1, "MENDABLE", {}, 60.0))
    async with beneath(place.made.endpoints.rabbitmq_url) as channel:
        for _ in range(3):
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, place.queue)
        found = await place.doctor(1)
        assert found["messages"]["verdict"] == "wrong"
        assert "at least 3 of them with no open task" in found["messages"]["says"]
        assert f"no worker takes jobs from {place.queue}" in str(found["queues"]["findings"])
        assert (found["workers"]["verdict"], found["jobs"]["verdict"]) == ("wrong", "ok")
        await (await channel.get_queue(place.queue)).purge()
    await place.start_worker()
    await place.well()


async def test_what_is_no_job_is_counted_among_the_dead_letters(place: Place) -> None:
    dead = place.made.names.dead_letter_queue("task-execution")
    async with beneath(place.made.endpoints.rabbitmq_url) as channel:
        await channel.default_exchange.publish(aio_pika.Message(b"no job"), place.queue)

        async def there() -> bool:
            return (await depth(place.made.endpoints.rabbitmq_url, [dead]))[dead].messages == 1

        await until(there, 30, "it is dead-lettered")
        found = await place.doctor(0)
        assert found["queues"]["verdict"] == "warning"
        assert f"1 messages in {dead}" in str(found["queues"]["findings"])
        await (await channel.get_queue(dead)).purge()
    await place.well()


async def test_a_running_task_whose_worker_was_killed_is_explained_until_its_deadline(place: Place) -> None:
    place.hold()
    await place.submit("orphan", type="HOLD")
    await place.reaches("RUNNING", "orphan")
    place.workers[-1].kill()
    await asyncio.sleep(LEASE_SECONDS * 3.5)  # lease and registration have run out
    found = await place.doctor(1)
    [odd] = found["runs"]["findings"]
    assert (odd["taskId"], odd["explained"], found["runs"]["verdict"]) == ("orphan", True, "warning")
    assert "has run out" in odd["says"]
    assert "dispatch will schedule a retry by" in odd["says"]
    assert (found["workers"]["verdict"], found["claims"]["verdict"]) == ("wrong", "ok")
    place.go()
    await place.start_worker()
    await place.reaches("COMPLETED", "orphan")
    await place.well()


async def test_a_flushed_redis_is_named_and_mended_by_a_rebuild(place: Place) -> None:
    place.hold()
    await place.submit("flushed", type="HOLD")
    await place.reaches("RUNNING", "flushed")
    await place.redis.flushall()
    found = await place.doctor(1)
    assert found["epoch"]["verdict"] == "wrong"
    assert "streamapp guard rebuild" in found["epoch"]["do"]
    [odd] = found["runs"]["findings"]
    assert (odd["taskId"], odd["explained"]) == ("flushed", True)
    assert "the guard knows no claim of it" in odd["says"]
    await place.command.run("guard", "rebuild")
    await asyncio.sleep(LEASE_SECONDS)
    assert (await place.doctor(0))["runs"]["findings"] == []
    place.go()
    await place.reaches("COMPLETED", "flushed")
    await place.well()


async def test_an_epoch_below_that_of_the_newest_starts_is_an_old_copy(place: Place) -> None:
    await place.submit("in-this-epoch")
    await place.reaches("COMPLETED", "in-this-epoch")
    epoch = int(await place.redis.get(place.keys.epoch))
    await place.redis.set(place.keys.epoch, epoch - 1)
    try:
        found = await place.doctor(1)
    finally:
        await place.redis.set(place.keys.epoch, epoch)
    assert "an old copy" in found["epoch"]["says"]


async def test_a_job_that_was_purged_is_explained_first_and_then_not(place: Place) -> None:
    assert place.workers[-1].stop() == 0
    await place.submit("purged")
    await place.reaches("DISPATCHED", "purged")
    async with beneath(place.made.endpoints.rabbitmq_url) as channel:
        await (await channel.get_queue(place.queue)).purge()
    await asyncio.sleep(3.5)
    early = (await place.doctor(1))["jobs"]
    [odd] = early["findings"]
    assert (odd["taskId"], odd["explained"], early["verdict"]) == ("purged", True, "warning")
    await asyncio.sleep(LOST_AFTER_SECONDS)
    late = await place.doctor(1)
    [odd] = late["jobs"]["findings"]
    assert (odd["taskId"], odd["explained"], late["jobs"]["verdict"]) == ("purged", False, "wrong")
    assert late["stuck"]["verdict"] == "warning"
    await place.start_worker()
    await place.submit("behind-it")  # the queue moves on without it, and dispatch hands it out anew
    await place.reaches("COMPLETED", "behind-it", "purged")
    await place.well()


async def test_brokers_that_are_down_are_said_and_the_others_are_judged(place: Place) -> None:
    port = free_ports(1)[0]
    without = await place.doctor(1, RABBITMQ__URL=f"amqp://guest:guest@127.0.0.1:{port}/")
    unknown = {name for name, check in without.items() if check["verdict"] == "unknown"}
    assert unknown == {"queues", "jobs", "messages"}
    without = await place.doctor(1, REDIS__URL=f"redis://127.0.0.1:{port}/0")
    unknown = {name for name, check in without.items() if check["verdict"] == "unknown"}
    assert unknown == {"redis", "epoch", "workers", "jobs", "runs", "claims"}
    without = await place.doctor(1, KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{port}")
    unknown = {name for name, check in without.items() if check["verdict"] == "unknown"}
    assert unknown == {"topics", "ingest", "dispatch", "diary"}


async def test_redis_that_evicts_is_wrong(place: Place) -> None:
    await place.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = await place.doctor(1)
    finally:
        await place.redis.config_set("maxmemory-policy", "noeviction")
    assert found["redis"]["verdict"] == "wrong"
    assert "maxmemory-policy" in str(found["redis"]["findings"])


async def test_what_a_stranger_wrote_under_the_guards_keys_ends_no_reader(place: Place) -> None:
    keys = Keys("doctor-garbage:")
    await place.redis.hset(keys.task("t"), mapping={"attempt": "x", "status": b"\xff", "until": "soon"})
    await place.redis.zadd(keys.jobs("active"), {b"\xff": 1, "t:x": 2, "t:2": 3})
    await place.redis.set(keys.epoch, "old")
    try:
        async with GuardInspection(place.made.endpoints.redis_url, keys.prefix, 5) as guard:
            assert await guard.epoch() == 0
            active, complete = await guard.active(2)
            assert (list(active), complete) == ([("\ufffd", 0), ("t", 0)], False)
            claim = (await guard.claims(["t", "nobody"]))["t"]
            assert (claim.attempt, claim.until_ms, claim.worker) == (0, 0, "nobody")
            assert await guard.waiting([("t", 1)]) == frozenset()
            assert await guard.workers() == []
    finally:
        await place.redis.delete(keys.task("t"), keys.jobs("active"), keys.epoch)


async def test_a_diary_that_is_down_is_named_and_the_brokers_are_still_judged(place: Place) -> None:
    assert place.streams.stop() == 0

    async def gone() -> bool:
        return not (await describe_group(place.made.endpoints.kafka, place.life.group)).members

    await until(gone, 30, "its group has no members")
    found = await place.doctor(1)
    assert found["diary"]["verdict"] == "wrong"
    assert "do not answer" in found["diary"]["says"]
    assert "nothing is handed out" in found["dispatch"]["says"]
    assert {found[name]["verdict"] for name in BOOKS} == {"unknown"}
    assert {found[name]["verdict"] for name in ("topics", "queues", "redis", "workers")} == {"ok"}
    place.streams = await place.made.started()
    await place.well()


async def test_where_nothing_was_set_up_it_says_so_and_makes_nothing(
    brokers_stack: RunningBrokers, tmp_path: Path
) -> None:
    with installation(brokers_stack.endpoints, tmp_path / "nothing") as made:
        document = await Command(made).document("doctor", code=1)
        found = {check["name"]: check for check in document["checks"]}
        assert len([item for item in found["topics"]["findings"] if "does not exist" in item["says"]]) == 2
        assert len([item for item in found["queues"]["findings"] if "does not exist" in item["says"]]) == 2
        assert "no epoch" in found["epoch"]["says"]
        topics = (made.names.lifecycle_topic, made.names.events_topic)
        assert await existing(made.endpoints.kafka, topics) == frozenset()
        queue = made.names.queue("task-execution")
        assert not (await depth(made.endpoints.rabbitmq_url, [queue]))[queue].exists
        client = redis.asyncio.Redis.from_url(made.endpoints.redis_url)
        assert [key async for key in client.scan_iter(f"{made.names.guard_prefix}*")] == []
        await client.aclose()
