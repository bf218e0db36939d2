"""Processes that stand still for longer than anybody waits for them, and then go on as if nothing had happened."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from streamapp.domain.facts import TaskExecutionStarted
from tests.faults.arena import LEASE_SECONDS, Arena
from tests.faults.judge import judge
from tests.faults.load.handlers import SLOW_SECONDS
from tests.faults.load.types import SLOW
from tests.faults.members import Member
from tests.support.waiting import until

HANDLERS = 8
DISCONNECTED_SECONDS = 40.0
"""RabbitMQ has given a client up by then: it takes some heartbeats, and RABBITMQ__HEARTBEAT_SECONDS is 5."""
ALONE = "the last worker died running this job"
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


async def make_zombie(ring: Arena, worker: Member, *, others_end: bool) -> None:
    """Stop a worker in the middle of its handlers; let it go on when others have begun with its jobs, or ended them."""
    done = "done" if others_end else "begun"
    async with ring.fault(f"SIGSTOP of worker, until others have {done} its jobs", "worker"):
        slow = [await ring.clients.submit(SLOW.name) for _ in range(HANDLERS)]
        await asyncio.sleep(SLOW_SECONDS / 2)
        worker.process.signal(signal.SIGSTOP)
        told = len(ring.witness.facts)
        try:
            await until(lambda: _again(ring, told), DISCONNECTED_SECONDS, "others have begun", every=0.02)
            if others_end:  # all of them: those that the zombie had claimed, and those that it was running
                await until(lambda: all(map(ring.witness.ended, slow)), 60, "others have done everything")
        finally:
            worker.process.signal(signal.SIGCONT)


def _again(ring: Arena, since: int) -> list[str]:
    """Slow tasks that somebody has claimed a second time, among the facts behind the first `since`."""
    starts = [fact for fact in ring.witness.facts[since:] if isinstance(fact, TaskExecutionStarted)]
    again = [fact.task_id for fact in starts if fact.token.claim > 1]
    return [task_id for task_id in again if ring.witness.tasks[task_id].type == SLOW.name]


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_outcomes_of_zombies_are_told_and_do_not_count(ring: Arena) -> None:
    first, second = ring.members.of("worker")
    await make_zombie(ring, first, others_end=False)
    await make_zombie(ring, second, others_end=True)
    assert (await judge(ring)).findings == []
    reasons = {anomaly.reason for task in ring.witness.tasks.values() for anomaly in task.anomalies}
    assert reasons >= {
        "an outcome below the highest token of its attempt does not count",
        "an outcome after the end does not count",
    }


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


async def restarted_at_work(ring: Arena, worker: Member) -> None:
    """Kill it while it runs something slow, and wait until it runs alone what it left behind."""
    slow, starts = await ring.clients.submit(SLOW.name), worker.starts
    await until(lambda: ring.witness.started(slow), 30, "it runs something slow")
    ring.kill(worker)
    await until(lambda: worker.starts > starts, 30, "it comes back")
    await worker.said(ALONE)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_worker_comes_back_under_its_old_name(ring: Arena) -> None:
    """The same instance name, at once: its predecessor's claims are a dead man's all the same."""
    first, second = ring.members.of("worker")
    await ring.members.hold(second)
    for _ in range(6):
        async with ring.fault("worker restarted under the same name", "worker"):
            await restarted_at_work(ring, first)
    ring.members.let(second)
    assert (await judge(ring)).findings == []
