"""The figures of the benchmark, each with its peers in turns on the same brokers."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import end_to_end as whole
from bench import facts, rebuilding
from bench import latency as times
from bench.peers import celery_rabbitmq, faststream_batch, kafka_streams, node_pipeline, taskiq_rabbitmq
from bench.peers.peer import Endpoints, Peer
from bench.results import Results
from bench.stand import Stand, running_stack, stand, stands
from brokers import Profile, Stack
from tests.support.stack import PARTITIONS

Road = whole.Road
STREAMAPP = "streamapp"
STREAMS = "kafka streams"
POSTS = "api, single POST, 32 connections: requests/s"
REBUILD = "rebuild of the diary's tables: facts/s"
RESTORE = "restore from changelogs: rows/s"
PEERS = Path(".streamapp/bench")
MANY_TASKS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What to measure how often.

    Attributes:
        runs: of each figure; its median is told.
        tasks: end to end, where the issue asks for a ratio.
        few: tasks of every other row.
        facts: of a rebuild.
        seconds: of a steady load, for each run of a latency.
        waiting: tasks that wait for a retry.
        everything: also what takes long: the durable profile on every road, every peer beside every row it can stand
            beside, a million tasks to look up.
        peers: whether they run at all.
    """

    runs: int = 3
    tasks: int = 8_000
    few: int = 1_500
    facts: int = 240_000
    seconds: int = 5
    waiting: int = 100_000
    everything: bool = False
    peers: bool = True
    profiles: tuple[Profile, ...] = ("fast", "durable")


EVERYTHING = Plan(tasks=20_000, few=20_000, facts=1_000_000, seconds=10, everything=True)

ROADS: tuple[tuple[int, Road], ...] = ((5, "events"), (50, "events"), (5, "preloaded"), (5, "batches"), (5, "posts"))
BESIDE = {5: ("celery", "node"), 50: ("taskiq", "faststream")}
"""Whom a must or an aim speaks of, by concurrency."""


async def end_to_end(plan: Plan, results: Results) -> None:
    """Tasks a second, CPU and memory, streamapp and its peers in turns."""
    for profile in plan.profiles:
        with running_stack(profile) as stack:
            for concurrency, road in ROADS:
                if plan.everything or profile == "fast" or (road, concurrency) == ("events", 5):
                    await _one_road(plan, results, stack, concurrency, road)


async def _one_road(plan: Plan, results: Results, stack: Stack, concurrency: int, road: Road) -> None:
    rates: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    with_peers = plan.peers and road == "events"
    tasks = plan.tasks if with_peers and stack.profile == "fast" else plan.few
    runners = _peers(plan, stack, tasks, concurrency) if with_peers else {}
    with stands(stack, plan.runs) as fresh:
        for one in fresh:
            for name, run in runners.items():
                rate, used = await run()
                rates.setdefault(name, []).append(rate)
                cpu.setdefault(name, []).append(used)
            done = await whole.measure(one, road, tasks, concurrency)
            results.details.append({"road": road, "concurrency": concurrency, "profile": stack.profile, **asdict(done)})
            rates.setdefault(STREAMAPP, []).append(done.tasks_per_second)
            cpu.setdefault(STREAMAPP, []).append(done.cpu_seconds_per_1000)
    figure = f"end to end, {road}, concurrency {concurrency}: tasks/s"
    beside, must = ("celery", "at least 2.0") if concurrency == 5 else ("taskiq", "at least 1.2")
    for name, values in rates.items():
        ours = name == STREAMAPP and with_peers
        results.add(figure, name, stack.profile, values, must if ours else "", beside if ours else "")
    figure = f"end to end, {road}, concurrency {concurrency}: CPU s per 1,000 tasks"
    for name, values in cpu.items():
        ours = name == STREAMAPP and with_peers and concurrency == 5
        results.add(figure, name, stack.profile, values, "at most 0.6" if ours else "", "celery" if ours else "")


def _peers(
    plan: Plan, stack: Stack, tasks: int, concurrency: int
) -> dict[str, Callable[[], Awaitable[tuple[float, float]]]]:
    endpoints = _endpoints(stack)

    def runner(name: str, peer: Peer, slots: int) -> Callable[[], Awaitable[tuple[float, float]]]:
        folder = (PEERS / name).absolute()

        async def run() -> tuple[float, float]:
            peer.install(folder)
            done = peer.end_to_end(folder, endpoints, tasks, slots)
            return done.tasks_per_second, done.cpu_seconds_per_1000

        return run

    found: dict[str, Any] = {
        "celery": (celery_rabbitmq, 2),
        "taskiq": (taskiq_rabbitmq, concurrency),
        "node": (node_pipeline, concurrency),
        "faststream": (faststream_batch, concurrency),
    }
    asked = found if plan.everything else BESIDE[concurrency][: 2 if stack.profile == "fast" else 1]
    return {name: runner(name, *found[name]) for name in asked}


async def latency(plan: Plan, results: Results) -> None:
    """Accepted → handler start, accepted → completed in the view."""
    for profile in plan.profiles if plan.everything else plan.profiles[:1]:
        with running_stack(profile) as stack:
            for per_second in (100, 500):
                await _one_rate(plan, results, stack, per_second)


async def _one_rate(plan: Plan, results: Results, stack: Stack, per_second: int) -> None:
    with_peers = plan.peers and per_second == 100 and stack.profile == "fast"
    peers: dict[str, Peer] = {"celery": celery_rabbitmq} if with_peers else {}
    if with_peers and plan.everything:
        peers["taskiq"] = taskiq_rabbitmq
    told: dict[str, list[dict[str, float]]] = {}
    got = []
    with stands(stack, plan.runs) as fresh:
        for one in fresh:
            for name, peer in peers.items():
                folder = (PEERS / name).absolute()
                peer.install(folder)
                told.setdefault(name, []).append(peer.latency(folder, _endpoints(stack), per_second, plan.seconds))
            got.append(await times.measure(one, per_second, plan.seconds))
    for share, must in (("p50", "at most 15"), ("p99", "at most 50"), ("p99.9", "")):
        figure = f"accepted → handler start at {per_second}/s, {share}: ms"
        for name, values in told.items():
            results.add(figure, name, stack.profile, [one[f"{share}_ms"] for one in values])
        must = must if per_second == 100 else ""
        results.add(figure, STREAMAPP, stack.profile, [one.to_start[share] for one in got], must)
    for share in ("p50", "p99", "p99.9"):
        figure = f"accepted → completed in the view at {per_second}/s, {share}: ms"
        results.add(figure, STREAMAPP, stack.profile, [one.to_view[share] for one in got])


async def api(plan: Plan, results: Results) -> None:
    """Single POSTs, acks=all, 32 connections; nobody else is running."""
    for profile in plan.profiles:
        with running_stack(profile) as stack, stands(stack, plan.runs) as fresh:
            got = []
            for one in fresh:
                await one.ready([one.made.start("api")])
                await whole.feed(one, "posts", "warm", whole.WARM_TASKS)
                got.append(await whole.feed(one, "posts", "p", plan.tasks))
            results.add(POSTS, STREAMAPP, profile, _of(got, "per_second"), "at least 4,000")
            results.add("api, single POST, 32 connections, p99: ms", STREAMAPP, profile, _of(got, "p99_ms"))


async def rebuild(plan: Plan, results: Results) -> None:
    """Tables from the diary, tables from changelogs, lookups, in the fast profile; beside Kafka Streams."""
    got: dict[str, list[float]] = {}
    with running_stack("fast") as stack, stands(stack, plan.runs) as fresh:
        for one in fresh:
            await _rebuilds(plan, one, got)
    for figure, who, must in (
        (REBUILD, STREAMS, ""),
        (REBUILD, STREAMAPP, "at least 1.0"),
        ("rebuild of dispatch's tables: facts/s", STREAMAPP, ""),
        (RESTORE, STREAMS, ""),
        (RESTORE, STREAMAPP, "at least 100,000 rows/s"),
        ("rebuild of the diary's tables: peak MiB", STREAMAPP, ""),
        ("lookup of one task, p50: ms", STREAMAPP, ""),
        ("lookup of one task, p99: ms", STREAMAPP, "at most 5"),
    ):
        if values := got.get(f"{figure}/{who}"):
            results.add(figure, who, "fast", values, must, STREAMS if who == STREAMAPP else "")


async def _rebuilds(plan: Plan, fresh: Stand, got: dict[str, list[float]]) -> None:
    def note(figure: str, value: float, who: str = STREAMAPP) -> None:
        got.setdefault(f"{figure}/{who}", []).append(value)
        print(f"  {figure} {who}: {value:,.1f}", flush=True)

    topic = fresh.made.names.lifecycle_topic
    tasks = plan.facts // facts.FACTS_A_TASK
    written = await _written(fresh, tasks)
    if plan.peers:
        folder = (PEERS / "kafka_streams").absolute()
        kafka_streams.install(folder)
        rebuilt, restored = kafka_streams.rebuild_and_restore(folder, _endpoints(fresh), topic, written)
        note(REBUILD, rebuilt["facts_per_second"], STREAMS)
        note(RESTORE, restored["records_per_second"], STREAMS)
    done, diary = await rebuilding.rebuild(fresh, "diary", written)
    note(REBUILD, done.per_second)
    note("rebuild of the diary's tables: peak MiB", done.peak_mib)
    for share, took in (await rebuilding.lookup(diary.url, tasks)).items():
        note(f"lookup of one task, {share}: ms", took)
    note(RESTORE, (await rebuilding.restore(fresh, "diary")).per_second)
    done, dispatch = await rebuilding.rebuild(fresh, "dispatch", written)
    dispatch.stop()
    note("rebuild of dispatch's tables: facts/s", done.per_second)


async def scale(plan: Plan, results: Results) -> None:
    """More workers, more diary processes; the cost of a fact by their number; what waits for a retry; a large table."""
    shapes: list[tuple[int, int | None]] = [(2, None), (4, None), (1, 1), (1, 2)]
    if plan.everything:
        shapes.insert(0, (1, None))  # otherwise it is the row of the events
    with running_stack("fast") as stack:
        for workers, diaries in shapes:
            with stands(stack, plan.runs) as fresh:
                got = [(await whole.measure(one, "events", plan.few, 5, workers, diaries)) for one in fresh]
            streams = "one process" if diaries is None else f"roles apart, {diaries} diaries"
            rates = [done.tasks_per_second for done in got]
            results.add(f"{workers} workers, streams: {streams}: tasks/s", STREAMAPP, "fast", rates)
        for share in (0.1, 1, 3):
            rebuilt = await _rebuilt(stack, "diary", int(plan.facts * share) // facts.FACTS_A_TASK)
            figure = f"rebuild of {rebuilt.count:,} facts: CPU µs a fact"
            results.add(figure, STREAMAPP, "fast", [rebuilt.cpu_microseconds], "within 20 %")
        for tasks in (0, plan.waiting):
            rebuilt = await _rebuilt(stack, "dispatch", tasks, facts.waiting)
            results.add(f"dispatch, {tasks:,} waiting retries: peak MiB", STREAMAPP, "fast", [rebuilt.peak_mib])
        if plan.everything:
            await _large_table(stack, results)


async def _rebuilt(
    stack: Stack, role: rebuilding.Role, tasks: int, life: facts.Life = facts.completed
) -> rebuilding.Measured:
    with stand(stack) as fresh:
        done, _ = await rebuilding.rebuild(fresh, role, await _written(fresh, tasks, life))
        return done


async def _written(fresh: Stand, tasks: int, life: facts.Life = facts.completed) -> int:
    return await facts.write(fresh.endpoints.kafka, fresh.made.names.lifecycle_topic, PARTITIONS, tasks, life)


async def _large_table(stack: Stack, results: Results) -> None:
    with stand(stack) as fresh:
        _, diary = await rebuilding.rebuild(fresh, "diary", await _written(fresh, MANY_TASKS))
        for share, took in (await rebuilding.lookup(diary.url, MANY_TASKS)).items():
            must = "at most 5" if share == "p99" else ""
            results.add(f"lookup among {MANY_TASKS:,} tasks, {share}: ms", STREAMAPP, "fast", [took], must)


def _endpoints(place: Stack | Stand) -> Endpoints:
    """The brokers, for a peer: what it makes itself is as durable as ours."""
    ends = place.endpoints
    flush = 1 if place.profile == "durable" else None
    return Endpoints(ends.kafka, ends.rabbitmq_url, ends.redis_url, flush)


def _of(got: list[dict[str, float]], name: str) -> list[float]:
    return [one[name] for one in got]
