"""Rebuild of tables from the diary, restore from changelogs, the cost of a lookup, on a diary written beforehand."""

import asyncio
import random
import shutil
import time
from dataclasses import dataclass
from typing import Literal

import aiohttp
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bench import usage
from bench.stand import Stand
from streamapp.clock import milliseconds_of
from tests.support.kafka import Kafka, committed_by
from tests.support.stack import RoleProcess
from tests.support.waiting import until

Role = Literal["diary", "dispatch"]
LIMIT_SECONDS = 600.0
LOOKUPS = 3_000
POLL_SECONDS = 0.05
FIRST_POLL_SECONDS = 0.005


@dataclass(frozen=True)
class Measured:
    """`count` is facts, or rows of changelogs."""

    count: int
    seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def per_second(self) -> float:
        """Facts, or rows."""
        return self.count / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """Of a fact, or a row."""
        return self.cpu_seconds * 1e6 / max(self.count, 1)


async def rebuild(stand: Stand, role: Role, facts: int) -> tuple[Measured, RoleProcess]:
    """From the moment at which a role begins to fold to the commit of the last fact. The role goes on running.

    Its start and the joining of the group are left out, as they are for the peer.
    """
    process = stand.made.start(role, LOG__LEVEL="INFO")
    (line,) = await until(lambda: process.lines("partitions assigned"), LIMIT_SECONDS, every=FIRST_POLL_SECONDS)
    begun, cpu_before = milliseconds_of(line["time"]) / 1000, usage.of(process.process.pid).cpu_seconds
    kafka = Kafka(stand.endpoints.kafka)
    topic = stand.made.names.lifecycle_topic
    ends = {(topic, partition): end for partition, end in (await kafka.ends(topic)).items() if end}
    group = stand.made.names.app_id(role)
    limit = time.monotonic() + LIMIT_SECONDS
    async with kafka.admin() as admin:
        while not ends.items() <= (await _committed(admin, group)).items():
            if time.monotonic() > limit:
                raise TimeoutError(f"{role} has not folded everything within {LIMIT_SECONDS:g} s")
            await asyncio.sleep(POLL_SECONDS)
    seconds = time.time() - begun
    used = usage.of(process.process.pid)
    return Measured(facts, seconds, used.cpu_seconds - cpu_before, used.peak_mib), process


async def restore(stand: Stand, role: Role) -> Measured:
    """The files are lost, the changelogs are there: rows a second until the tables are as they were."""
    for process in stand.made.processes:
        if process.name == role and process.running:
            process.stop()
    shutil.rmtree(stand.made.data(role))
    process = stand.made.start(role, LOG__LEVEL="INFO")
    (line,) = await process.logged("tables restored from their changelogs", LIMIT_SECONDS)
    used = usage.of(process.process.pid)
    seconds = max(line["seconds"], 0.001)
    process.stop()
    return Measured(line["rows"], seconds, used.cpu_seconds, used.peak_mib)


async def lookup(url: str, tasks: int) -> dict[str, float]:
    """Milliseconds of one question about one task, one after the other."""
    chance, took = random.Random(1), []
    async with aiohttp.ClientSession() as session:
        for _ in range(LOOKUPS):
            begun = time.perf_counter()
            async with session.get(f"{url}/v1/tasks/t{chance.randrange(tasks)}") as answer:
                assert answer.status == 200, f"the diary said {answer.status}"
                await answer.read()
            took.append((time.perf_counter() - begun) * 1000)
    ranked = sorted(took)
    return {f"p{share * 100:g}": ranked[int(share * (len(ranked) - 1))] for share in (0.5, 0.99, 0.999)}


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[tuple[str, int], int]:
    """What the group has committed; nothing as long as nobody has heard of it."""
    try:
        return await committed_by(admin, group)
    except KafkaError:
        return {}
