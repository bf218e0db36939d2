"""Every role as a process of its own on real brokers, scraped and traced: what they tell against what is in Kafka."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from streamapp.tracing.context import dispatch_span_id, trace_id_of
from tests.support.brokers import RunningBrokers
from tests.support.collector import Collector, Told, collector
from tests.support.command import Command
from tests.support.events import event
from tests.support.lived import Lived, lived
from tests.support.metrics import Scrape, read
from tests.support.stack import PARTITIONS, PROJECT, AnyRole, RoleProcess, free_port
from tests.support.waiting import until

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TYPES = '["tests.support.flaky"]'
ROLES: dict[str, AnyRole] = {
    "api": "api",
    "ingest": "ingest",
    "dispatch": "dispatch",
    "left": "diary",
    "right": "diary",
    "worker": "worker",
}
LAG = "streamapp_diary_lag_facts"
OF_EVERY_ROLE = ("streamapp_build_info", "streamapp_uptime_seconds", "streamapp_connection_up")


@dataclass
class World:
    """An installation with every role, two diaries among them, and a collector of traces."""

    life: Lived
    collector: Collector
    processes: dict[str, RoleProcess]
    command: Command
    metrics_port: int

    async def scrape(self, name: str) -> Scrape:
        port = self.metrics_port if name == "worker" else int(self.processes[name].url.rpartition(":")[2])
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as response,
        ):
            assert response.status == 200
            assert response.content_type == "text/plain"
            return read(await response.text())

    async def diaries(self, metric: str, **labels: str) -> float:
        """The sum over all diary processes."""
        return sum([(await self.scrape(name)).total(metric, **labels) for name in ("left", "right")])

    async def submit(self, document: Any, path: str = "/v1/tasks", **headers: str) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.processes["api"].url + path, json=document, headers=headers) as response,
        ):
            return response.status, await response.json()

    async def ended(self, task_id: str) -> None:
        """Wait until the diary says that a task has completed."""

        async def completed() -> bool:
            status, task = await self.processes["left"].get(f"/v1/tasks/{task_id}")
            return status == 200 and task["state"] == "COMPLETED"

        await until(completed, 60, f"{task_id} has completed")

    async def facts(self) -> Counter[str]:
        """Facts in the topic by name, those that came twice counted once."""
        told = {(item.fact.NAME, item.fact.id) for _, item in await self.life.facts()}
        return Counter(name for name, _ in told)


@pytest.fixture(scope="module")
async def world(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder, port = tmp_path_factory.mktemp("metrics"), free_port()
    async with (
        collector() as told,
        lived(
            brokers_stack.endpoints,
            folder,
            TASKS__TYPES=TYPES,
            TASKS__HANDLERS=TYPES,
            TRACING__ENDPOINT=told.endpoint,
            GUARD__LEASE_SECONDS="2",
        ) as life,
    ):
        life.made.surroundings["PYTHONPATH"] = str(PROJECT)  # the `faust` command looks for modules beside itself only
        command = Command(life.made, "api")
        await command.run("setup")
        processes = {}
        for name, role in ROLES.items():
            settings = {"WORKER__METRICS_PORT": str(port)} if role == "worker" else {}
            processes[name] = life.made.start(role, name, **settings)
        for name, process in processes.items():
            if name != "worker":
                await process.ready()
        await processes["dispatch"].gates_open()
        await processes["worker"].logged("metrics are served")
        yield World(life, told, processes, command, port)
        for process in processes.values():
            if process.running:
                assert await asyncio.to_thread(process.stop) == 0  # the collector answers meanwhile
                assert process.troubles() == []


@pytest.fixture(scope="module")
async def busy(world: World) -> World:
    """40 tasks over HTTP whose first attempt fails, nine events, one that is not valid and one without an id."""
    batch = {"tasks": [{"type": "FLAKY", "payload": {}, "taskId": f"sum-{number}"} for number in range(40)]}
    status, _ = await world.submit(batch, "/v1/tasks:batch")
    assert status == 202
    events = [event(f"event-{number}", {"any": "thing"}, type="OTHER") for number in range(9)]
    rows = [(b"k", value) for value in [*events, b"{}", event("bad", timestamp="no")]]
    await world.life.kafka.append(world.life.made.names.events_topic, rows)
    for task_id in [f"sum-{number}" for number in range(40)] + [f"event-{number}" for number in range(9)]:
        await world.ended(task_id)
    await world.life.calm()
    return world


async def test_every_role_answers_with_its_own_numbers(world: World) -> None:
    own = {
        "api": "streamapp_api_tasks_total",
        "ingest": "streamapp_ingest_events_total",
        "dispatch": "streamapp_dispatch_outbox_entries",
        "left": "streamapp_facts_total",
        "right": "streamapp_facts_total",
        "worker": "streamapp_worker_concurrency",
    }
    for name, metric in own.items():
        told = await world.scrape(name)
        assert told.having(metric), (name, metric)
        for common in OF_EVERY_ROLE:
            assert told.having(common), (name, common)
        assert [labels["role"] for labels in told.having("streamapp_build_info")] == [ROLES[name]]
        assert told.value("streamapp_metrics_read_failures_total") == 0
        others = {other for role, other in own.items() if ROLES[role] != ROLES[name]}
        assert not [other for other in others if told.having(other)], name


async def test_every_broker_that_a_role_needs_is_up(world: World) -> None:
    brokers = {
        "api": {"kafka"},
        "ingest": {"kafka"},
        "dispatch": {"kafka", "rabbitmq"},
        "left": {"kafka"},
        "worker": {"kafka", "rabbitmq", "redis"},
    }
    for name, wanted in brokers.items():

        async def up(name: str = name, wanted: set[str] = wanted) -> bool:
            told = await world.scrape(name)
            found = {labels["broker"] for labels in told.having("streamapp_connection_up")}
            return found == wanted and told.total("streamapp_connection_up") == len(wanted)

        await until(up, 30, f"{name} tells that {wanted} are up")


async def test_sums_over_processes_are_what_lies_in_kafka(busy: World) -> None:
    world = busy

    async def folded() -> bool:
        wanted = await world.facts()
        return all([await world.diaries("streamapp_facts_total", fact=fact) == wanted[fact] for fact in wanted])

    await until(folded, 30, "the diaries tell of every fact")
    assert await world.diaries("streamapp_diary_lag_facts") == 0
    assert await world.diaries("streamapp_tasks", state="COMPLETED") == 49
    assert await world.diaries("streamapp_task_failures_total", error="NotYet") == 40
    assert await world.diaries("streamapp_execution_seconds_count") == 89
    assert await world.diaries("streamapp_accepted_to_completed_seconds_count") == 49
    held = [labels["partition"] for name in ("left", "right") for labels in (await world.scrape(name)).having(LAG)]
    assert sorted(held) == [str(partition) for partition in range(PARTITIONS)], "each partition once"


async def test_each_role_counts_what_it_did(busy: World) -> None:
    world = busy
    api, ingest, dispatch, worker = [await world.scrape(name) for name in ("api", "ingest", "dispatch", "worker")]
    assert api.value("streamapp_api_tasks_total", outcome="accepted") == 40
    assert api.value("streamapp_facts_appended_total", fact="TaskAccepted") == 40
    assert api.value("streamapp_api_requests_total", method="POST", route="/v1/tasks:batch", status="202") == 1
    assert ingest.total("streamapp_ingest_events_total", outcome="accepted") == 9
    assert ingest.total("streamapp_ingest_events_total", outcome="rejected") == 1
    assert ingest.total("streamapp_ingest_events_total", outcome="discarded") == 1
    queue = world.life.made.names.queue("task-execution")
    assert dispatch.value("streamapp_dispatch_jobs_published_total", queue=queue) == 89
    assert 0 < dispatch.value("streamapp_dispatch_confirm_duration_seconds_count") <= 89, "once for each window"
    assert dispatch.value("streamapp_dispatch_lateness_seconds_count") == 89
    assert dispatch.value("streamapp_facts_appended_total", fact="TaskRetryScheduled") == 40
    assert dispatch.total("streamapp_dispatch_outbox_entries") == 0
    assert dispatch.total("streamapp_dispatch_gate_open") == PARTITIONS
    assert worker.total("streamapp_worker_deliveries_total") == 89
    assert worker.value("streamapp_worker_claims_total", answer="claimed") == 89
    assert worker.value("streamapp_worker_outcomes_total", type="FLAKY", outcome="retryable") == 40
    assert worker.value("streamapp_worker_outcomes_total", type="FLAKY", outcome="completed") == 40
    assert worker.value("streamapp_worker_outcomes_total", type="other", outcome="completed") == 9
    assert worker.value("streamapp_worker_settlements_total", how="ack") == 89
    assert worker.value("streamapp_guard_calls_total", script="claim") >= 89
    assert worker.value("streamapp_guard_round_trip_seconds_count") > 0
    assert worker.value("streamapp_guard_ready") == 1
    assert worker.value("streamapp_worker_jobs_held") == 0


async def test_a_diary_that_ends_gives_its_numbers_to_the_other(busy: World) -> None:
    world = busy
    before = {fact: await world.diaries("streamapp_facts_total", fact=fact) for fact in await world.facts()}
    assert world.processes["right"].stop() == 0

    async def taken_over() -> bool:
        told = await world.scrape("left")
        return len(told.having(LAG)) == PARTITIONS and not told.total(LAG)

    await until(taken_over, 60, "one diary holds every partition")
    told = await world.scrape("left")
    assert {fact: told.total("streamapp_facts_total", fact=fact) for fact in before} == before


async def test_a_trace_goes_through_every_role_and_every_attempt(world: World) -> None:
    status, _ = await world.submit({"type": "FLAKY", "payload": {}, "taskId": "traced"}, traceparent=CALLER)
    assert status == 202
    await world.ended("traced")
    wanted = Counter(
        {
            ("streamapp-api", "TaskAccepted"): 1,
            ("streamapp-dispatch", "dispatch"): 2,
            ("streamapp-dispatch", "TaskDispatched"): 2,
            ("streamapp-dispatch", "TaskRetryScheduled"): 1,
            ("streamapp-worker", "execute"): 2,
            ("streamapp-worker", "TaskExecutionStarted"): 2,
            ("streamapp-worker", "TaskExecutionFailed"): 1,
            ("streamapp-worker", "TaskExecutionCompleted"): 1,
        }
    )
    await until(
        lambda: Counter((span.service, span.name) for span in world.collector.of("traced")) == wanted,
        40,
        "every span of the task has been told",
    )
    spans = world.collector.of("traced")
    assert {span.trace for span in spans} == {CALLER[3:35]}
    (request,) = [span for span in world.collector.spans if span.parent == CALLER[36:52]]
    assert (request.service, request.name) == ("streamapp-api", "POST /v1/tasks")
    accepted = _one(spans, "TaskAccepted")
    assert accepted.parent == request.id
    for attempt in (1, 2):
        dispatch, execute = (_one(spans, name, attempt) for name in ("dispatch", "execute"))
        assert (dispatch.parent, execute.parent) == (accepted.id, dispatch.id)
        assert dispatch.id == f"{dispatch_span_id('traced', attempt):016x}"
        before = ((CALLER[3:35], f"{dispatch_span_id('traced', 1):016x}"),) if attempt == 2 else ()
        assert dispatch.links == execute.links == before
        assert _one(spans, "TaskExecutionStarted", attempt).parent == execute.id
        assert execute.failed == (attempt == 1)
        (handle,) = [span for span in world.collector.spans if (span.name, span.parent) == ("handle", execute.id)]
        assert handle.trace == CALLER[3:35]
    assert _one(spans, "TaskRetryScheduled", 2).parent == accepted.id
    facts = [item.fact for _, item in await world.life.facts() if item.fact.task_id == "traced"]
    assert {(fact.traceparent or "")[3:35] for fact in facts} == {CALLER[3:35]}


async def test_an_event_begins_a_trace_whose_id_anybody_can_tell(world: World) -> None:
    value = event("traced-event", {"any": "thing"}, type="OTHER")
    await world.life.kafka.append(world.life.made.names.events_topic, [(b"k", value)])
    await world.ended("traced-event")
    wanted = {("streamapp-ingest", "TaskAccepted"), ("streamapp-worker", "TaskExecutionCompleted")}
    await until(
        lambda: wanted <= {(span.service, span.name) for span in world.collector.of("traced-event")},
        40,
        "the event's spans have been told",
    )
    assert {span.trace for span in world.collector.of("traced-event")} == {f"{trace_id_of('traced-event'):032x}"}


def _one(spans: list[Told], name: str, attempt: int | None = None) -> Told:
    named = [span for span in spans if span.name == name]
    (span,) = [span for span in named if attempt is None or span.attributes["streamapp.task.attempt"] == attempt]
    return span


async def test_a_guard_that_has_forgotten_is_told_and_so_is_its_rebuild(world: World) -> None:
    redis = Redis.from_url(world.life.made.endpoints.redis_url)
    await redis.delete(f"{world.life.made.names.guard_prefix}epoch")
    await redis.aclose()
    status, _ = await world.submit({"type": "FLAKY", "payload": {}, "taskId": "unguarded"})
    assert status == 202

    async def ready(wanted: int) -> bool:
        return (await world.scrape("worker")).value("streamapp_guard_ready") == wanted

    await until(lambda: ready(0), 30, "the worker tells that its guard has forgotten")
    await world.command.run("guard", "rebuild")
    await until(lambda: ready(1), 60, "the worker tells that its guard is back")
    await world.ended("unguarded")


async def test_a_queue_that_is_away_is_told_by_what_waits_for_it(world: World, brokers_stack: RunningBrokers) -> None:
    assert "rabbitmq" in brokers_stack.stack.services, "RabbitMQ belongs to somebody else, and this test stops it"
    await asyncio.to_thread(brokers_stack.stack.rabbitmq.stop)
    try:
        status, _ = await world.submit({"type": "FLAKY", "payload": {}, "taskId": "waiting"})
        assert status == 202

        async def told() -> bool:
            dispatch, worker = await world.scrape("dispatch"), await world.scrape("worker")
            down = [scrape.value("streamapp_connection_up", broker="rabbitmq") for scrape in (dispatch, worker)]
            return down == [0, 0] and dispatch.total("streamapp_dispatch_outbox_entries", stage="due") == 1

        await until(told, 40, "dispatch tells that a task is due and RabbitMQ is away")
    finally:
        await asyncio.to_thread(brokers_stack.stack.rabbitmq.start)
    await world.ended("waiting")
    assert (await world.scrape("dispatch")).total("streamapp_dispatch_outbox_entries") == 0
