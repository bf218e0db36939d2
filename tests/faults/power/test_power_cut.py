"""The power is cut under load, in the durable profile: what was acknowledged is there when it comes back.

One broker loses power while everybody else goes on; then the whole machine, tables and processes included. Clients
stand outside, and remember what they were told.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from brokers import Service
from streamapp.domain.facts import TaskAccepted
from streamapp.guard.keys import Keys
from streamapp.stream.topics import CHANGELOG_MAX_BYTES
from tests.faults.arena import ROLES, Arena
from tests.faults.power.durable import DURABLE, beside, busy_arena, durable_brokers, outage, verdict
from tests.faults.power.filesystem import FileSystem
from tests.support.brokers import RunningBrokers
from tests.support.reference import facts_of

CUTS = 3
STREAMS = ("ingest", "dispatch", "diary")


@pytest.fixture
async def ring(
    brokers_stack: RunningBrokers, disk: FileSystem, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Arena]:
    """An arena with one broker on the disk: `@pytest.mark.parametrize("ring", ["kafka"], indirect=True)`."""
    service: Service = request.param
    with durable_brokers(disk, frozenset({service})) as own:
        brokers = beside(brokers_stack, own)
        async with busy_arena(brokers, tmp_path / "arena", disk, **DURABLE) as made:
            yield made


async def flushed_by_nobody(ring: Arena) -> None:
    """Let changelogs be what they are where somebody else has created them."""
    settings = {"cleanup.policy": "compact", "max.message.bytes": str(CHANGELOG_MAX_BYTES)}
    names = [name for name in await ring.kafka.topics(ring.made.names.namespace) if name.endswith("-changelog")]
    assert names
    async with ring.kafka.admin() as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, settings) for name in names])


async def restored_from_changelogs(ring: Arena) -> None:
    """What the changelogs hold must be enough: every table is lost, and made from them again."""
    async with ring.fault("tables lost after power cuts of kafka", "all"):
        for name in STREAMS:
            await ring.members.hold(ring.members.by_name[name])
            shutil.rmtree(ring.made.data(name))
        for name in STREAMS:
            ring.members.let(ring.members.by_name[name])


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("ring", ["kafka"], indirect=True)
async def test_power_of_kafka_is_cut(ring: Arena, disk: FileSystem) -> None:
    """Whoever is running goes on where it was; consumer offsets lose their tail, and nobody had asked for them."""
    for _ in range(CUTS):
        async with ring.fault("power cut of kafka, durable", "kafka"):
            await outage(ring, disk)
            assert await forgotten_records(ring) == []
        await ring.busy()
    await restored_from_changelogs(ring)
    assert (await verdict(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("ring", ["kafka"], indirect=True)
async def test_changelogs_are_cut_and_tables_are_ahead_of_them(ring: Arena, disk: FileSystem) -> None:
    """Changelogs that nobody flushes lose their tails, the tables on another disk do not, and are made anew."""
    await flushed_by_nobody(ring)
    for _ in range(CUTS):
        await asyncio.to_thread(disk.sync)
        await ring.busy()
        async with ring.fault("power cut of kafka and the streams, changelogs not flushed", "all"):
            await outage(ring, disk, STREAMS)
        for name in STREAMS:
            await ring.members.by_name[name].said("a local table is ahead of its changelog")
    await restored_from_changelogs(ring)
    assert (await verdict(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("ring", ["rabbitmq"], indirect=True)
async def test_power_of_rabbitmq_is_cut(ring: Arena, disk: FileSystem) -> None:
    for _ in range(CUTS):
        async with ring.fault("power cut of rabbitmq, durable", "rabbitmq"):
            await outage(ring, disk)
        await ring.busy()
    assert (await verdict(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("ring", ["redis"], indirect=True)
async def test_power_of_redis_is_cut(ring: Arena, disk: FileSystem) -> None:
    """The guard is whole: it knows every claim that the diary has a start of, and goes on without a rebuild."""
    for _ in range(CUTS):
        async with ring.fault("power cut of redis, durable", "redis"):
            await outage(ring, disk)
            assert await forgotten_claims(ring) == []
        await ring.busy()
    assert (await verdict(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_power_of_the_machine_is_cut(disk: FileSystem, tmp_path: Path) -> None:
    with durable_brokers(disk) as brokers:
        async with busy_arena(brokers, tmp_path / "arena", disk, ROLES, **DURABLE) as ring:
            for _ in range(CUTS):
                async with ring.fault("power cut of the machine, durable", "all"):
                    await outage(ring, disk, ROLES)
                    assert await forgotten_records(ring) == []
                    assert await forgotten_claims(ring) == []
                await ring.busy()
            assert (await verdict(ring)).findings == []


async def forgotten_records(ring: Arena) -> list[str]:
    """What Kafka no longer has: tasks accepted over HTTP, events acknowledged, and facts that somebody has read."""
    read = {fact.id for fact in ring.witness.facts}
    events, accepted = set(ring.clients.events), set(ring.clients.certain)
    assert read
    assert events
    assert accepted
    facts = [item.fact for _, item in facts_of(await ring.kafka.read(ring.topic))]
    there = await ring.kafka.read(ring.made.names.events_topic)
    read -= {fact.id for fact in facts}
    accepted -= {fact.task_id for fact in facts if isinstance(fact, TaskAccepted)}
    events -= {record.key.decode() for records in there.values() for record in records if record.key}
    missing = {"fact": read, "accepted task": accepted, "event": events}
    return [f"{kind} {name}" for kind, names in missing.items() for name in sorted(names)]


async def forgotten_claims(ring: Arena) -> list[str]:
    """Where the guard knows less than the diary: a start was recorded only after its claim had been acknowledged."""
    keys = Keys(ring.made.names.guard_prefix)
    tokens = {
        task_id: max(task.progress.tokens.items())
        for task_id, task in ring.witness.tasks.items()
        if task.progress.tokens
    }
    assert tokens
    async with redis.asyncio.from_url(ring.brokers.endpoints.redis_url) as client:
        found = {"epoch"} if await client.get(keys.epoch) is None else set()
        for task_id, (attempt, token) in tokens.items():
            known = await client.hmget(keys.task(task_id), "attempt", "epoch", "claim")
            claim = tuple(int(part or 0) for part in known)
            if claim < (attempt, token.epoch, token.claim):
                found.add(f"{task_id}: {claim} after {(attempt, token.epoch, token.claim)}")
    return sorted(found)
