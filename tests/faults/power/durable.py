"""Brokers of the durable profile whose data lie on a disk with a switch, and an arena on them.

In: a mounted `FileSystem`, and which brokers are to live on it; the others are those that the test run shares. Out: an
arena under load, and `outage`, which takes the power away and gives it back. What the brokers flush is what the durable
profile makes them flush, and nothing more: the settings of every other test, which say the opposite, are overridden.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from brokers import Endpoints, Ports, Service, Stack
from brokers.endpoints import SERVICES
from tests.faults.arena import GONE_IS_GONE, ROLES, Arena, arena
from tests.faults.judge import Verdict, judge
from tests.faults.power.filesystem import FileSystem
from tests.support.brokers import RunningBrokers

DURABLE = {"KAFKA__FLUSH_MESSAGES": "1", **GONE_IS_GONE}
"""What a single node has by default; and what RabbitMQ has confirmed must be there when the power is back."""
JUDGE_SECONDS = 200.0


@contextmanager
def durable_brokers(disk: FileSystem, services: frozenset[Service] = SERVICES) -> Iterator[RunningBrokers]:
    """Brokers of the durable profile on a disk, gone at the end."""
    stack = Stack(disk.root / "brokers", Ports.free(), profile="durable", services=services)
    stack.install()
    try:
        yield RunningBrokers(stack, stack.start())
    finally:
        stack.stop()


def beside(shared: RunningBrokers, own: RunningBrokers) -> RunningBrokers:
    """The brokers of `own`, and for every service that it lacks the shared one."""
    ours, theirs = own.endpoints, shared.endpoints
    mine = own.stack.services
    endpoints = Endpoints(
        kafka=ours.kafka if "kafka" in mine else theirs.kafka,
        rabbitmq_url=ours.rabbitmq_url if "rabbitmq" in mine else theirs.rabbitmq_url,
        redis_url=ours.redis_url if "redis" in mine else theirs.redis_url,
        profile=ours.profile,
    )
    return replace(own, endpoints=endpoints)


@asynccontextmanager
async def busy_arena(
    brokers: RunningBrokers, folder: Path, disk: FileSystem, on_disk: Iterable[str] = (), **settings: str
) -> AsyncIterator[Arena]:
    """An arena whose work gets done. The data directories of the members `on_disk` lie on the disk.

    Everything up to here is made safe: at risk is what comes after.
    """
    async with arena(brokers, folder, 1, None, **settings) as ring:
        for name in on_disk:
            (disk.root / f"data-{name}").mkdir()
            ring.made.data(name).symlink_to(disk.root / f"data-{name}")
        await ring.start({**ROLES})
        ring.pour()
        await ring.busy()
        await asyncio.to_thread(disk.sync)
        await ring.busy()
        yield ring


async def outage(ring: Arena, disk: FileSystem, also: Iterable[str] = ()) -> None:
    """Cut the power of the brokers on the disk and of the members `also`, and bring all of them back."""
    members = [ring.members.by_name[name] for name in also]
    for member in members:
        member.held = True  # not to be started again before there is a disk
    await asyncio.to_thread(disk.power_cut, [member.process.process.pid for member in members])
    await asyncio.to_thread(disk.power_on)
    await asyncio.to_thread(ring.brokers.stack.start)
    for member in members:
        await asyncio.to_thread(member.process.ended)
        ring.members.let(member)


async def verdict(ring: Arena) -> Verdict:
    """`judge`, but not for ever: a client whose acknowledged records are gone may never again be told anything."""
    async with asyncio.timeout(JUDGE_SECONDS):
        return await judge(ring)
