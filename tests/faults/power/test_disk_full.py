"""A disk is full under load: whoever needs it ends or refuses, the others wait, and nothing acknowledged is lost."""

import asyncio
import shutil
from pathlib import Path

import pytest

from streamapp.settings import Role
from tests.faults.arena import Arena
from tests.faults.members import Member
from tests.faults.power.durable import DURABLE, beside, busy_arena, durable_brokers, verdict
from tests.faults.power.filesystem import FileSystem
from tests.support.brokers import RunningBrokers
from tests.support.rocks import DIARY, DISPATCH, read_table
from tests.support.stack import PARTITIONS
from tests.support.waiting import until

LEFT = 128 * 1024
"""Bytes that are free when the trouble begins: some seconds of the load."""
STILL_SECONDS = 3.0
TABLES: dict[Role, tuple[str, ...]] = {"ingest": ("sources",), "dispatch": DISPATCH, "diary": DIARY}
MEBIBYTES_OF_KAFKA = 200


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("disk", [MEBIBYTES_OF_KAFKA], indirect=True)
async def test_disk_of_kafka_is_full(disk: FileSystem, brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    with durable_brokers(disk, frozenset({"kafka"})) as own:
        async with busy_arena(beside(brokers_stack, own), tmp_path / "arena", disk, **DURABLE) as ring:
            async with ring.fault("disk of kafka full", "kafka"):
                await asyncio.to_thread(disk.fill, LEFT)
                await until(lambda: not own.stack.kafka.running, 60, "kafka ends", every=0.1)
                told = set(ring.clients.told)
                await asyncio.sleep(STILL_SECONDS)
                assert ring.clients.told == told
                await asyncio.to_thread(disk.grow, 2 * MEBIBYTES_OF_KAFKA)
                await asyncio.to_thread(own.stack.start)
            assert ring.members.deaths.total() == 0
            assert (await verdict(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("disk", [96], indirect=True)
async def test_disk_of_the_tables_is_full(disk: FileSystem, brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    async with busy_arena(brokers_stack, tmp_path / "arena", disk, on_disk=TABLES) as ring:
        members = [ring.members.by_name[role] for role in TABLES]
        for member in members:
            member.held = True  # nobody starts them again
        async with ring.fault("disk of the tables full", "all"):
            await asyncio.to_thread(disk.fill, LEFT)
            for member in members:
                await ended_for_want_of_room(member)
                await said_what_to_do(member)
            for role in TABLES:
                await nothing_is_committed_that_is_not_stored(ring, role)
            for member in members:
                ring.members.restart(member)  # as an init system does, in vain
            for member in members:
                await ended_for_want_of_room(member)
            await asyncio.to_thread(disk.make_room)
            for member in members:
                ring.members.let(member)
        assert (await verdict(ring)).findings == []


async def ended_for_want_of_room(member: Member) -> None:
    assert await asyncio.to_thread(member.process.ended, 60) == 1
    full = [text for text in member.process.text().splitlines() if "No space left on device" in text]
    assert any(f"data-{member.name}" in text for text in full), member.process.tail()


async def said_what_to_do(member: Member) -> None:
    """Its last words, and the only ones about it: which file, and what to do."""
    (line,) = member.process.lines("no room for the tables")
    assert "STREAMAPP_DATA_DIRECTORY" in line["message"]
    assert f"data-{member.name}" in line["error"]
    assert member.process.lines()[-1] == line
    assert member.process.lines("could not be folded") == []


async def nothing_is_committed_that_is_not_stored(ring: Arena, role: Role) -> None:
    copy = ring.folder / f"copy-{role}"  # opening a RocksDB may want to write
    shutil.copytree(ring.made.tables(role, role), copy)
    committed = await ring.kafka.offsets(ring.made.names.app_id(role))
    assert committed
    for table in TABLES[role]:
        _, applied = read_table(copy, table, range(PARTITIONS))
        beyond = {place: offset for place, offset in committed.items() if offset > applied[place[1]]}
        assert beyond == {}, table
