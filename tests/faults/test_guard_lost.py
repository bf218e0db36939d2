"""The guard loses its memory: nothing runs until it is rebuilt from the diary, and then nothing runs twice."""

import asyncio
import shutil
import time

import pytest
import redis.asyncio

from streamapp.audit.surroundings import GUARD_LOST
from streamapp.guard.keys import Keys
from tests.faults.arena import Arena
from tests.faults.judge import judge

STILL_SECONDS = 3.0
REBUILD_SECONDS = 60.0
POLL_SECONDS = 0.005


async def nothing_starts(ring: Arena) -> None:
    """What had begun may end; after that nothing is taken."""
    await asyncio.sleep(STILL_SECONDS)
    before = ring.effects()
    await asyncio.sleep(STILL_SECONDS)
    assert ring.effects() == before


async def nothing_starts_until_rebuilt(ring: Arena) -> None:
    """From the moment that the memory is gone until it is seen missing for the last time."""
    begun = _now()
    await nothing_starts(ring)
    rebuilding = asyncio.create_task(asyncio.to_thread(ring.command, "guard", "rebuild"))
    missing_at = await _last_missing(ring)
    await rebuilding
    ring.note(begun, missing_at, "guard without memory", "redis", GUARD_LOST)


async def _last_missing(ring: Arena) -> int:
    """When the epoch was asked for the last time and was not there; later it was. The command ends after that."""
    key = Keys(ring.made.names.guard_prefix).epoch
    async with redis.asyncio.from_url(ring.brokers.endpoints.redis_url) as client, asyncio.timeout(REBUILD_SECONDS):
        asked = _now()
        while not await client.exists(key):
            missing_at = asked
            await asyncio.sleep(POLL_SECONDS)
            asked = _now()
        return missing_at


def _now() -> int:
    return time.time_ns() // 1_000_000


async def ask(ring: Arena, *command: str) -> None:
    client = redis.asyncio.from_url(ring.brokers.endpoints.redis_url)
    async with client:
        await client.execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.mark.timeout(300)
async def test_guard_flushed_and_full(ring: Arena) -> None:
    async with ring.fault("FLUSHALL", "redis"):
        await ask(ring, "FLUSHALL")
        await nothing_starts_until_rebuilt(ring)
    async with ring.fault("Redis out of memory", "redis"):
        await ask(ring, "CONFIG", "SET", "maxmemory", "1mb")
        try:
            await asyncio.sleep(STILL_SECONDS)
        finally:
            await ask(ring, "CONFIG", "SET", "maxmemory", "0")
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_redis_comes_back_empty_and_with_an_old_copy(ring: Arena) -> None:
    server = ring.brokers.stack.redis
    data = server.folder / "data"
    copy = ring.folder / "copy"
    await asyncio.to_thread(server.stop)
    shutil.copytree(data, copy)
    await asyncio.to_thread(server.start)
    await ring.busy()
    async with ring.fault("Redis restarted empty", "redis"):
        await asyncio.to_thread(server.kill)
        shutil.rmtree(data)
        await asyncio.to_thread(server.start)
        await nothing_starts_until_rebuilt(ring)
    await ring.busy()
    async with ring.fault("Redis restored from an old copy", "redis"):
        # As docs/guarantees.md tells whoever restores a copy: workers down, copy back, guard rebuilt, workers up.
        for member in ring.members.of("worker"):
            await ring.members.hold(member, gracefully=False)
        await asyncio.to_thread(server.kill)
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(ring.command, "guard", "rebuild")
        for member in ring.members.of("worker"):
            ring.members.let(member)
    assert (await judge(ring)).findings == []
