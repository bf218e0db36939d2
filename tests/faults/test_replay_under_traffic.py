"""Groups are reset, tables and changelogs deleted, roles split, merged and shuffled, while traffic flows."""

import asyncio
import random
import shutil

import pytest

from tests.faults.arena import Arena
from tests.faults.judge import judge
from tests.support.stack import AnyRole

STREAMS: tuple[AnyRole, ...] = ("dispatch", "diary", "ingest")
STORM_SECONDS = 40.0


def source(ring: Arena, role: AnyRole) -> str:
    return ring.made.names.events_topic if role == "ingest" else ring.topic


async def reset(ring: Arena, role: AnyRole, share: float) -> None:
    """Set the group of a role to a share of its topic, as `kafka-consumer-groups --reset-offsets` does."""
    group, topic = ring.made.names.app_id(role), source(ring, role)
    ends = await ring.kafka.ends(topic)
    await ring.kafka.move_group(group, {(topic, partition): round(end * share) for partition, end in ends.items()})


async def lose_changelogs(ring: Arena, role: AnyRole) -> None:
    prefix = ring.made.names.app_id(role) + "-"
    lost = [topic for topic in await ring.kafka.topics(prefix) if topic.endswith("-changelog")]
    assert lost
    await ring.kafka.delete(lost)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", STREAMS)
async def test_group_reset_tables_and_changelogs_lost(ring: Arena, role: AnyRole) -> None:
    (member,) = ring.members.of(role)
    for name, share in (("earliest", 0.0), ("the middle", 0.5), ("the end", 1.0)):
        async with ring.fault(f"group of {role} reset to {name}", role):
            await ring.members.hold(member)
            await asyncio.sleep(1.0)  # traffic that nobody has folded: a reset to the end may not skip it
            await reset(ring, role, share)
            ring.members.let(member)
            await ring.members.ready()
    for tables, changelogs in ((True, False), (False, True), (True, True)):
        lost = " and ".join(["tables"] * tables + ["changelogs"] * changelogs)
        async with ring.fault(f"{lost} of {role} lost", role):
            await ring.members.hold(member)
            if tables:
                shutil.rmtree(ring.made.data(member.name))
            if changelogs:
                await lose_changelogs(ring, role)
            ring.members.let(member)
            await ring.members.ready()
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_roles_split_and_merged(ring: Arena) -> None:
    apart = [member for role in STREAMS for member in ring.members.of(role)]
    async with ring.fault("roles merged into one process", "all"):
        for member in apart:
            await ring.members.hold(member)
        together = ring.members.add("all", "all", INSTANCE="all")
        await together.process.ready()
    await ring.busy()
    async with ring.fault("roles split again", "all"):
        await ring.members.hold(together)
        for member in apart:
            ring.members.let(member)
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_processes_join_and_leave_every_few_seconds(ring: Arena) -> None:
    """A second and a third process of every stream come and go; what they hold is folded whoever holds it."""
    dice = random.Random(7)
    others = [
        ring.members.add(role, f"{role}{number}", INSTANCE=f"{role}{number}") for role in STREAMS for number in (2, 3)
    ]
    async with ring.fault("processes join and leave every few seconds", "all"):
        deadline = asyncio.get_running_loop().time() + STORM_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(dice.uniform(1.0, 4.0))
            member = dice.choice(others)
            if member.held:
                ring.members.let(member)
            else:
                await ring.members.hold(member, gracefully=dice.random() < 0.5)
        for member in others:
            if not member.held:
                await ring.members.hold(member)
    assert (await judge(ring)).findings == []
