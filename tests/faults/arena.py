"""The arena: every role as a process of its own on real brokers, a mixed load, and witnesses outside the system.

In: brokers, a folder. Out: after the faults a liveness phase without any (everything must drain), then the evidence,
and the verdict of the audit on it. What is judged here is never asked of streamapp's own views.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from brokers import Endpoints
from tests.faults.load.clients import Clients
from tests.faults.load.ledger import VARIABLE
from tests.faults.members import Member, Members
from tests.faults.shadow import Shadow
from tests.faults.witness import Witness
from tests.support.brokers import RunningBrokers
from tests.support.kafka import Kafka
from tests.support.stack import PARTITIONS, PROJECT, AnyRole, Installation, installation
from tests.support.waiting import until

LEASE_SECONDS = 1.5
RECOVERY_SECONDS = 30.0
"""After a fault the throughput must be back by then."""
WINDOW_SECONDS = 3.0
KEEPING_UP = 0.7
"""Of the tasks coming in, nine tenths complete; the rest ends otherwise."""
SEEN_LATE_MS = 500
"""A death is noticed this much later at most."""
RATE = 25.0
SETTINGS = {
    "TASKS__TYPES": '["tests.faults.load.types"]',
    "TASKS__HANDLERS": '["tests.faults.load.handlers", "tests.faults.load.misbehaving"]',
    "GUARD__LEASE_SECONDS": str(LEASE_SECONDS),
    "DISPATCH__STUCK_MARGIN_SECONDS": "5",
    "DISPATCH__LOST_AFTER_SECONDS": "20",
    "DISPATCH__RECONCILE_SECONDS": "5",
    "API__APPEND_TIMEOUT_SECONDS": "2",
    "RABBITMQ__PUBLISH_TIMEOUT_SECONDS": "20",
    "RABBITMQ__HEARTBEAT_SECONDS": "5",
}
GONE_IS_GONE = {"DISPATCH__LOST_AFTER_SECONDS": "600"}
"""Nobody looks for jobs that are gone before the end of the test: a fault that loses one is found out."""
ROLES: dict[str, AnyRole] = {
    "api": "api",
    "ingest": "ingest",
    "dispatch": "dispatch",
    "diary": "diary",
    "w1": "worker",
    "w2": "worker",
}


@dataclass
class Incident:
    """A fault as it was injected in one run; see `report.Row`."""

    fault: str
    injected: int = 0
    under_way: int = 0
    recovery_seconds: float = 0.0


class Arena:
    """One installation under load."""

    def __init__(self, brokers: RunningBrokers, made: Installation, kafka: Kafka, seed: int) -> None:
        self.brokers = brokers
        self.made = made
        self.folder = made.folder
        self.kafka = kafka
        self.evidence = made.folder / "evidence"
        self.evidence.mkdir()
        self.topic = made.names.lifecycle_topic
        self.witness = Witness(brokers.endpoints.kafka, self.topic, PARTITIONS)
        self.shadow = Shadow(brokers.endpoints.rabbitmq_url, made.names)
        self.members = Members(made, self._note_death)
        self.clients = Clients(kafka, made.names.events_topic, self.evidence / "answers.jsonl", seed=seed)
        self._incidents = (self.evidence / "incidents.jsonl").open("a", buffering=1)
        self.incidents: dict[str, Incident] = {}
        made.surroundings["PYTHONPATH"] = str(PROJECT)  # the `faust` command looks for modules beside itself only
        made.surroundings[VARIABLE] = str(self.evidence / "effects.jsonl")

    async def start(self, roles: dict[str, AnyRole] | None = None) -> None:
        """Set everything up and start the roles; the load begins when they are ready."""
        await asyncio.to_thread(self.command, "setup")
        await self.shadow.bind()
        await self.witness.start()
        for name, role in (roles or ROLES).items():
            self.members.add(role, name, INSTANCE=name)
        await self.members.ready()
        self.clients.urls = [member.process.url for member in self.members.of("api")]
        self.members.keep()

    def command(self, *arguments: str) -> str:
        """Run `streamapp …` for this installation."""
        environment = self.made.environment("cli", "worker")
        command = [sys.executable, "-m", "streamapp.cli", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def pour(self, rate: float = RATE) -> None:
        """The load: `rate` tasks a second."""
        self.clients.pour(rate)

    async def busy(self, seconds: float = 60.0, completions: int = 30) -> None:
        """Wait until the work gets done: this many more tasks have completed."""
        begun, had = _now(), len(self.witness.completions)
        wanted = had + completions
        await until(lambda: len(self.witness.completions) >= wanted, seconds, f"work gets done since {begun}")

    @asynccontextmanager
    async def fault(self, name: str, target: str, detail: str = "") -> AsyncIterator[Incident]:
        """What happens in this block is a fault; afterwards the throughput must come back."""
        async with self.trouble(name, target, detail) as incident:
            yield incident
        incident.recovery_seconds = max(incident.recovery_seconds, await self.back())

    @asynccontextmanager
    async def trouble(self, name: str, target: str, detail: str = "") -> AsyncIterator[Incident]:
        """What happens in this block is a fault, and the next one may come at once."""
        incident = self._injected(name)
        begun = _now()
        try:
            yield incident
        finally:
            self.note(begun, _now(), name, target, detail)

    async def back(self) -> float:
        """Wait until the work gets done as fast as it comes in; how long that took."""
        begun = time.monotonic()
        wanted = self.clients.rate * WINDOW_SECONDS * KEEPING_UP

        def keeping_up() -> bool:
            return self.witness.completed_since(_now() - round(WINDOW_SECONDS * 1000)) >= wanted

        await until(keeping_up, RECOVERY_SECONDS, "the throughput is back", every=0.1)
        return time.monotonic() - begun

    def note(self, begun: int, until: int, name: str, target: str, detail: str = "") -> None:
        """Tell the audit of an incident. Both times in ms since the epoch."""
        line = {"at": begun, "until": until, "name": name, "target": target, "detail": detail}
        self._incidents.write(json.dumps(line) + "\n")

    def kill(self, member: Member) -> None:
        """SIGKILL to a member; the keeper starts it again."""
        member.process.kill()

    async def until_killed(self, deaths: Mapping[str, int], seconds: float, total: int = 0) -> None:
        """Wait until each member has died so often, and all together `total` times."""

        def missing() -> dict[str, int]:
            rest = {name: want - self.members.deaths[name] for name, want in deaths.items()}
            return {**rest, "all": total - self.members.deaths.total()}

        try:
            await until(lambda: all(rest <= 0 for rest in missing().values()), seconds, "everybody has died", every=0.2)
        except AssertionError as error:
            armed = {member.name: member.armed for member in self.members.by_name.values()}
            raise AssertionError(f"{error}\nmissing: {missing()}\narmed: {armed}") from None

    def effects(self) -> int:
        """Lines in the ledger so far."""
        ledger = self.evidence / "effects.jsonl"
        return ledger.read_bytes().count(b"\n") if ledger.exists() else 0

    async def drained(self, seconds: float = 90.0) -> float:
        """The liveness phase: without faults, everything that was promised must end. Returns how long it took."""
        begun = time.monotonic()
        await self.clients.stop()
        told = self.clients.told

        def rest() -> list[str]:
            missing = [task_id for task_id in told if not self.witness.ended(task_id)]
            return missing or self.witness.open()

        try:
            await until(lambda: not rest(), seconds, "everything has ended", every=0.2)
        except AssertionError as error:
            left = rest()
            states = [
                (task_id, str(self.witness.tasks[task_id].state)) for task_id in left if task_id in self.witness.tasks
            ]
            raise AssertionError(
                f"{error}\n{len(left)} of {len(told)} have not ended: {states[:10] or left[:10]}"
            ) from None
        return time.monotonic() - begun

    async def stop(self) -> dict[str, int]:
        """Stop every role, and write down what the shadow queue has seen."""
        statuses = await self.members.stop()
        with (self.evidence / "shadow.jsonl").open("w") as file:
            file.writelines(json.dumps(line) + "\n" for line in await self.shadow.drain())
        return statuses

    def close(self) -> None:
        """Close the files."""
        self._incidents.close()

    @asynccontextmanager
    async def paused(self, member: Member, seconds: float) -> AsyncIterator[None]:
        """SIGSTOP for a while, then SIGCONT."""
        member.process.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
            yield
        finally:
            member.process.signal(signal.SIGCONT)

    def _injected(self, name: str) -> Incident:
        incident = self.incidents.setdefault(name, Incident(name))
        incident.injected += 1
        incident.under_way += len(self.witness.open())
        return incident

    def _note_death(self, member: Member) -> None:
        gap = member.armed.partition("=")[0]
        name = f"SIGKILL of {member.role}" + (f" {gap}" if gap else "")
        self._injected(name)
        self.note(_now() - SEEN_LATE_MS, _now(), name, member.role, member.name)


@asynccontextmanager
async def arena(
    brokers: RunningBrokers, folder: Path, seed: int = 1, endpoints: Endpoints | None = None, **settings: str
) -> AsyncIterator[Arena]:
    """An arena that leaves nothing behind but its folder. Roles find the brokers at `endpoints`, witnesses directly."""
    with installation(endpoints or brokers.endpoints, folder, **{**SETTINGS, **settings}) as made:
        kafka = Kafka(brokers.endpoints.kafka)
        await kafka.start()
        ring = Arena(brokers, made, kafka, seed)
        try:
            yield ring
        finally:
            await ring.members.let_go()
            await ring.witness.stop()
            await ring.clients.abandon()
            ring.close()
            await kafka.stop()


def _now() -> int:
    return time.time_ns() // 1_000_000
