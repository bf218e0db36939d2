"""`streamapp setup`: topics, queues and the guard's epoch, made by one owner before anybody is ready.

Idempotent. A guard without an epoch (new, flushed, or restored empty) is rebuilt from the diary: the claims of all
unfinished and recent tasks are written first, the epoch last, and only then do workers take anything.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from streamapp.clock import SystemClock
from streamapp.guard import Guard
from streamapp.guard.rebuild import claims_of, next_epoch
from streamapp.queue import ensure as ensure_queues
from streamapp.settings import Settings
from streamapp.stream import topics
from streamapp.stream.history import fold_all

Notify = Callable[[str], None]


def guard_of(settings: Settings, name: str) -> Guard:
    """A guard for a command; it takes no jobs and registers no worker."""
    return Guard(
        settings.redis_url,
        prefix=settings.names.guard_prefix,
        worker=name,
        lease_seconds=settings.guard.lease_seconds,
        retention_seconds=settings.guard.retention_seconds,
        max_deaths=settings.guard.max_deaths,
        finished_jobs_kept=settings.guard.finished_jobs_kept,
        timeout_seconds=settings.redis.timeout_seconds,
    )


async def setup(settings: Settings, notify: Notify) -> None:
    """Make everything that processes share.

    Raises:
        ConfigurationError: something is there and is not as it must be; the message says what to do.
        Unavailable: a broker does not answer.
    """
    await topics.ensure(settings.bootstrap_servers, [topics.lifecycle(settings), topics.events(settings)])
    notify("topics are there")
    await ensure_queues(settings.rabbitmq_url, settings.names, settings.queues)
    notify("queues are there")
    guard = guard_of(settings, "setup")
    await guard.start()
    try:
        if await guard.epoch() is None:
            await rebuild_guard(settings, guard, notify)
    finally:
        await guard.stop()


async def rebuild_guard(settings: Settings, guard: Guard, notify: Notify) -> tuple[int, int]:
    """Write the guard's memory again from the diary. Returns the new epoch and the number of claims."""
    ticket = await guard.announce_rebuild()
    tasks, _, _ = await fold_all(settings.bootstrap_servers, settings.names.lifecycle_topic)
    now, retention = SystemClock().now_ms(), round(settings.guard.retention_seconds * 1000)
    records = [record for task in tasks.values() if (record := claims_of(task, now, retention)) is not None]
    epoch = await guard.rebuild(records, next_epoch(tasks.values()), ticket)
    notify(f"guard rebuilt from the diary: epoch {epoch}, {len(records)} claims of {len(tasks)} tasks")
    return epoch, len(records)


async def workers(settings: Settings) -> list[dict[str, Any]]:
    """The workers that were alive a moment ago, as they registered themselves in Redis.

    Raises:
        Unavailable: Redis does not answer.
    """
    guard = guard_of(settings, "status")
    await guard.start()
    try:
        return [{"worker": item.worker, **asdict(item.registration)} for item in await guard.workers()]
    finally:
        await guard.stop()
