"""The checker proves itself: broken versions of the product, as real processes under load, and each is objected to.

The same faults are survived by the product itself in the other files of this folder.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from streamapp.audit.surroundings import GUARD_LOST
from tests.faults.arena import ROLES, Arena, arena
from tests.faults.judge import judge
from tests.faults.mutants.broken import MUTANTS
from tests.faults.network.behind import target_of, through
from tests.faults.network.wiretap import Wiretap
from tests.faults.test_guard_lost import ask
from tests.faults.test_zombies import make_zombie
from tests.support.brokers import RunningBrokers
from tests.support.proxy import Proxy
from tests.support.stack import PROJECT

STARTUP = Path(__file__).parent / "mutants" / "startup"
HANGS_SECONDS = 2.0
LOAD = 40.0
SPECIAL = "special"
FEW = 10

Provoke = Callable[[Arena], Awaitable[None]]


async def nothing(ring: Arena) -> None:
    """Good times are enough."""
    await ring.busy(completions=100)


async def backlog_of_the_diary(ring: Arena) -> None:
    """It comes back to facts that take a while to fold, and others come meanwhile."""
    (diary,) = ring.members.of("diary")
    for _ in range(2):
        await ring.members.hold(diary)
        await ring.busy(completions=600)
        ring.members.let(diary)
        await diary.process.ready()
        await ring.busy(completions=100)


async def absence_of_dispatch(ring: Arena) -> None:
    (dispatch,) = ring.members.of("dispatch")
    await ring.members.hold(dispatch, gracefully=False)
    for _ in range(FEW):
        await ring.clients.submit("FAULT_OK")
    ring.members.let(dispatch)
    await ring.members.ready()


async def broker_that_hangs_and_dies(ring: Arena) -> None:
    """Publishes pile up without an answer, and their connection breaks."""
    rabbitmq = ring.brokers.stack.rabbitmq
    async with ring.trouble("rabbitmq hangs and is killed", "rabbitmq"):
        rabbitmq.pause()
        for _ in range(FEW):
            await ring.clients.submit("FAULT_OK")
        await asyncio.sleep(HANGS_SECONDS)
        await asyncio.to_thread(rabbitmq.kill)
        await asyncio.to_thread(rabbitmq.start)
    await ring.busy()


async def deletion_of_a_queue(ring: Arena) -> None:
    for worker in ring.members.of("worker"):
        await ring.members.hold(worker)
    async with ring.trouble("queue deleted", "rabbitmq"):
        name = ring.made.names.queue(SPECIAL)
        await asyncio.to_thread(ring.brokers.stack.rabbitmq.control, "delete_queue", name)
        for _ in range(FEW):
            await ring.clients.submit("FAULT_SLOW")
        await asyncio.sleep(1.0)
    for worker in ring.members.of("worker"):
        ring.members.let(worker)


async def deaths_after_the_confirm(ring: Arena) -> None:
    """Jobs are published twice, because no worker has started them; the second copies come when the first are done."""
    (dispatch,) = ring.members.of("dispatch")
    for worker in ring.members.of("worker"):
        await ring.members.hold(worker)
    for _ in range(3):
        dispatch.plan = iter(["after-confirm=kill@2"])
        deaths = ring.members.deaths["dispatch"]
        ring.kill(dispatch)
        await ring.until_killed({"dispatch": deaths + 2}, 60)
    for worker in ring.members.of("worker"):
        ring.members.let(worker)
    await ring.busy()


async def loss_of_the_guard(ring: Arena) -> None:
    async with ring.trouble("FLUSHALL", "redis", GUARD_LOST):
        await ask(ring, "FLUSHALL")
        await asyncio.sleep(4.0)
        await asyncio.to_thread(ring.command, "guard", "rebuild")


async def zombie_workers(ring: Arena) -> None:
    for worker in ring.members.of("worker"):
        await make_zombie(ring, worker, others_end=False)


async def garbage(ring: Arena) -> None:
    await ring.kafka.append(ring.topic, [(b"garbage", b"\xff{")])
    await nothing(ring)


CASES: dict[str, tuple[Provoke, str]] = {
    "bare horizon": (absence_of_dispatch, "completeness"),
    "gives up on failure": (broker_that_hangs_and_dies, "completeness"),
    "fact before publish": (nothing, "confirmation"),
    "no return check": (deletion_of_a_queue, "confirmation"),
    "ack before outcome": (nothing, "acknowledgement"),
    "guard off": (deaths_after_the_confirm, "effects"),
    "epoch ignored": (loss_of_the_guard, "guarded"),
    "stale outcome accepted": (zombie_workers, "tasks-"),
    "typed topic": (garbage, "liveness"),
    "two folds at once": (backlog_of_the_diary, "t"),
}
"""Mutant → what brings it to light, and how the finding begins that must be among the findings."""


@asynccontextmanager
async def broken(brokers: RunningBrokers, folder: Path, mutant: str) -> AsyncIterator[Arena]:
    """An arena with a mutant in it, and a wiretap in front of RabbitMQ."""
    wiretap = Wiretap(folder / "evidence" / "wire.jsonl")
    proxy = Proxy(*target_of(brokers.endpoints.rabbitmq_url), tap=wiretap.connected)
    await proxy.start()
    endpoints = replace(brokers.endpoints, rabbitmq_url=through(brokers.endpoints.rabbitmq_url, proxy.port))
    routes = f'{{"FAULT_SLOW": "{SPECIAL}"}}' if mutant == "no return check" else "{}"
    try:
        async with arena(brokers, folder, endpoints=endpoints, RABBITMQ__ROUTES=routes) as ring:
            ring.made.surroundings["PYTHONPATH"] = f"{STARTUP}:{PROJECT}"
            ring.made.surroundings["FAULTS_MUTANT"] = mutant
            await ring.start(dict(ROLES))
            ring.pour(LOAD)
            await ring.busy()
            yield ring
    finally:
        await proxy.stop()
        wiretap.close()


def test_every_mutant_has_a_case() -> None:
    assert CASES.keys() == MUTANTS.keys()


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("mutant", CASES)
async def test_mutant_is_objected_to(brokers_stack: RunningBrokers, tmp_path: Path, mutant: str) -> None:
    provoke, expected = CASES[mutant]
    async with broken(brokers_stack, tmp_path / "broken", mutant) as ring:
        await provoke(ring)
        verdict = await judge(ring, seconds=20, reported=False)
        assert [finding for finding in verdict.findings if finding.startswith(expected)], (
            verdict.findings,
            verdict.counts,
        )
