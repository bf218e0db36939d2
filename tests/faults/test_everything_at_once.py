"""Random faults of every kind, one after another and several at a time, for minutes; then peace, and the judge.

`FAULTS_MINUTES` says for how long (default 4), `FAULTS_SEED` with which dice (default 1); the report names both.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable

import pytest

from streamapp.failpoints import GAPS
from tests.faults.arena import LEASE_SECONDS, Arena
from tests.faults.judge import judge
from tests.faults.members import Member

MINUTES = float(os.environ.get("FAULTS_MINUTES", "4"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))


async def broker_killed(ring: Arena, dice: random.Random) -> None:
    broker = dice.choice(ring.brokers.stack.brokers)
    async with ring.trouble(f"random: {broker.name} killed", broker.name):
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)


async def broker_hangs(ring: Arena, dice: random.Random) -> None:
    broker = dice.choice(ring.brokers.stack.brokers)
    async with ring.trouble(f"random: {broker.name} hangs", broker.name):
        broker.pause()
        try:
            await asyncio.sleep(dice.uniform(0.5, 8))
        finally:
            broker.resume()


async def member_killed(ring: Arena, dice: random.Random) -> None:
    member = _free(ring, dice)
    async with ring.trouble(f"random: {member.role} killed", member.role):
        ring.kill(member)


async def member_dies_at_a_gap(ring: Arena, dice: random.Random) -> None:
    member = _free(ring, dice)
    gap = dice.choice(GAPS[member.role])
    member.plan = iter([f"{gap}=kill@{dice.randint(1, 5)}"])
    async with ring.trouble(f"random: {member.role} killed", member.role):
        ring.kill(member)


async def member_stands_still(ring: Arena, dice: random.Random) -> None:
    member = _free(ring, dice)
    seconds = dice.uniform(0.5, 4 * LEASE_SECONDS)
    async with ring.trouble(f"random: {member.role} stands still", member.role), ring.paused(member, seconds):
        pass


async def member_restarted(ring: Arena, dice: random.Random) -> None:
    member = _free(ring, dice)
    async with ring.trouble(f"random: {member.role} restarted", member.role):
        await ring.members.hold(member)
        ring.members.let(member)


FAULTS: dict[Callable[[Arena, random.Random], Awaitable[None]], float] = {
    broker_killed: 2,
    broker_hangs: 2,
    member_killed: 4,
    member_dies_at_a_gap: 4,
    member_stands_still: 3,
    member_restarted: 2,
}
"""Fault → how often, relative to the others."""


@pytest.mark.long
@pytest.mark.timeout(60 * MINUTES + 300)
async def test_everything_at_once(ring: Arena) -> None:
    dice = random.Random(SEED)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 60 * MINUTES
    async with ring.fault(f"everything at once, seed {SEED}, {MINUTES:g} min", "all"):
        while loop.time() < deadline:
            chosen = dice.choices(list(FAULTS), list(FAULTS.values()), k=dice.choice([1, 1, 2]))
            await asyncio.gather(*(fault(ring, dice) for fault in chosen))
            await asyncio.sleep(dice.uniform(0, 3))
        await ring.members.ready()
    assert (await judge(ring, seconds=150)).findings == []


def _free(ring: Arena, dice: random.Random) -> Member:
    return dice.choice([member for member in ring.members.by_name.values() if member.process.running])
