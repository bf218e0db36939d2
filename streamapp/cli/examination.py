"""What `streamapp doctor` does: asks everybody, looks at the books twice, and has the rules judge.

In: settings. Out: the checks, in the order in which a person should read them. Writes nothing, consumes nothing, claims
nothing.
"""

import asyncio
from collections.abc import Sequence

from streamapp.cli.diary_views import DiaryViews
from streamapp.cli.looks import answer_of, take
from streamapp.cli.role_groups import role_groups
from streamapp.clock import SystemClock
from streamapp.doctor import brokers, jobs, noticed, roles, runs
from streamapp.doctor.brokers import Depth, RedisSays, Registered
from streamapp.doctor.look import Look, Scale
from streamapp.doctor.roles import Group
from streamapp.doctor.verdicts import Check, Silent
from streamapp.guard import GuardInspection
from streamapp.queue import depth
from streamapp.settings import Settings
from streamapp.stream import topics

HOUR_MS = 3_600_000
PULSES_PER_LEASE = 3
"""A worker tells what it holds so often in one lease (`streamapp.guard.lease`)."""

SHORTEST_GAP_SECONDS, LONGEST_GAP_SECONDS, GAP_MARGIN_SECONDS = 2.0, 10.0, 0.5


async def examine(settings: Settings) -> list[Check]:
    """All checks. Takes some seconds, and more where a system hangs."""
    clock, views = SystemClock(), DiaryViews(settings)
    prefix, timeout = settings.names.guard_prefix, settings.redis.timeout_seconds
    async with GuardInspection(settings.redis_url, prefix, timeout) as guard:
        first = await take(settings, views, guard, clock)
        # A job that went from a queue to a worker before the first look is in that worker's list by the second one.
        pause = asyncio.create_task(clock.sleep(_gap(settings)))
        of_kafka, dispatching = await _kafka(settings, views)
        of_brokers = [await _queues(settings), *await _redis(guard, views)]
        of_diary = await _noticed(views, clock.now_ms() - HOUR_MS)
        await pause
        second = await take(settings, views, guard, clock)
    return [*of_kafka, *of_brokers, *_books(settings, first, second, dispatching), *of_diary]


def _books(settings: Settings, first: Look, second: Look, dispatching: int) -> list[Check]:
    scale = Scale(settings.prefetch, settings.dispatch.window * max(dispatching, 1))
    return [
        jobs.jobs(first, second, scale),
        jobs.messages(first, second, scale),
        runs.runs(first, second),
        runs.claims(first, second),
    ]


def _gap(settings: Settings) -> float:
    pulse = settings.guard.lease_seconds / PULSES_PER_LEASE + GAP_MARGIN_SECONDS
    return min(max(pulse, SHORTEST_GAP_SECONDS), LONGEST_GAP_SECONDS)


async def _kafka(settings: Settings, views: DiaryViews) -> tuple[list[Check], int]:
    """Topics and roles, and how many processes dispatch."""
    plans = [topics.lifecycle(settings), topics.events(settings)]
    faults = await answer_of("Kafka", topics.faults(settings.bootstrap_servers, plans))
    found = await answer_of("Kafka", role_groups(settings))
    says = await answer_of("the diary", views.says())
    ingest: Sequence[Group] | Silent = found if isinstance(found, Silent) else found["ingest"]
    dispatch: Sequence[Group] | Silent = found if isinstance(found, Silent) else found["dispatch"]
    diary: Sequence[Group] | Silent = found if isinstance(found, Silent) else found["diary"]
    checks = [
        roles.topics(faults),
        roles.role("ingest", ingest),
        roles.role("dispatch", dispatch),
        roles.diary(diary, says),
    ]
    return checks, 0 if isinstance(dispatch, Silent) else sum(len(group.members) for group in dispatch)


async def _queues(settings: Settings) -> Check:
    names = settings.names
    short = dict.fromkeys([settings.rabbitmq.queue, *settings.rabbitmq.routes.values()])
    dead = [names.dead_letter_queue(queue) for queue in short]
    found = await answer_of("RabbitMQ", depth(settings.rabbitmq_url, [*settings.queues, *dead]))
    if isinstance(found, Silent):
        return brokers.queues(found, {})
    depths = {name: Depth(queue.messages, queue.consumers, queue.exists) for name, queue in found.items()}
    return brokers.queues(
        {name: depths[name] for name in settings.queues},
        {name: depths[name] for name in dead},
    )


async def _redis(guard: GuardInspection, views: DiaryViews) -> list[Check]:
    faults = await answer_of("Redis", guard.setting_faults())
    epoch = await answer_of("Redis", guard.epoch())
    newest = await answer_of("the diary", views.newest_epoch())
    registered = await answer_of("Redis", guard.workers())
    alive: Sequence[Registered] | Silent = (
        registered
        if isinstance(registered, Silent)
        else [
            Registered(worker.worker, worker.registration.running, worker.registration.concurrency)
            for worker in registered
        ]
    )
    says = faults if isinstance(faults, Silent) else RedisSays(tuple(faults or ()), faults is not None)
    return [brokers.redis(says), brokers.epoch(epoch, newest), brokers.workers(alive)]


async def _noticed(views: DiaryViews, since_ms: int) -> list[Check]:
    return [
        noticed.stuck(await answer_of("the diary", views.stuck())),
        noticed.anomalies(await answer_of("the diary", views.anomalies(since_ms))),
        noticed.unreadable(await answer_of("the diary", views.unreadable(since_ms))),
    ]
