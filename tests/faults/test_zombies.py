"""Processes that stand still for longer than anybody waits for them, and then go on as if nothing had happened."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.arena import LEASE_SECONDS, Arena
from tests.faults.judge import judge

SESSION_SECONDS = 6.0
"""KAFKA__SESSION_TIMEOUT_SECONDS of every installation in a test."""


def at(gap: str, action: str) -> Iterator[str]:
    yield f"{gap}={action}"


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_worker_stands_still_beyond_its_lease(ring: Arena) -> None:
    for number in range(4):
        worker = ring.members.of("worker")[number % 2]
        async with ring.fault("SIGSTOP of worker, twice the lease", "worker"), ring.paused(worker, 2 * LEASE_SECONDS):
            pass
        await ring.busy()
    for gap in ("after-started", "in-handler", "after-effect", "after-outcome-stored"):
        worker = ring.members.of("worker")[0]
        worker.plan = at(gap, f"block:{2 * LEASE_SECONDS}@5")
        async with ring.fault(f"worker blocks {gap}, twice the lease", "worker"):
            ring.kill(worker)
            await worker.said(f"failpoint {gap}")
            await asyncio.sleep(2 * LEASE_SECONDS)
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_streams_stand_still_beyond_their_session(ring: Arena) -> None:
    """Another process takes the partitions over; then the first one goes on, in the middle of what it was doing."""
    for role in ("dispatch", "diary", "ingest"):
        (member,) = ring.members.of(role)
        other = ring.members.add(role, f"{role}2", INSTANCE=f"{role}2")
        await other.process.ready()
        async with ring.fault(f"SIGSTOP of {role}, twice the session", role), ring.paused(member, 2 * SESSION_SECONDS):
            await ring.busy()
        await ring.members.hold(other)
        await ring.busy()
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_worker_comes_back_under_its_old_name(ring: Arena) -> None:
    """The same instance name, at once: its predecessor's claims are a dead man's all the same."""
    for _ in range(6):
        (first, second) = ring.members.of("worker")
        async with ring.fault("worker restarted under the same name", "worker"):
            ring.kill(first)
            ring.kill(second)
            await ring.busy(completions=10)
    assert (await judge(ring)).findings == []
