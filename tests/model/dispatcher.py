"""A simulated machine that runs dispatch: the real agent, pump, index, gates and tables in a simulated process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from agents.dispatch import Dispatch, Pump, register
from streamapp.clock import rfc3339
from streamapp.stream.horizon import Gates
from streamapp.wire.scribe import Scribe
from tables.dedup import Dedup
from tables.pending import Pending
from tests.model.disk import Disk, Rows, SimulatedTable
from tests.model.doors import HeardClock, SimulatedFactLog, SimulatedProbe, SimulatedPublisher, WallClock
from tests.model.kafka import TOPIC
from tests.model.life import Life
from tests.model.oracle import LIMITS
from tests.model.seat import Seat

if TYPE_CHECKING:
    from tests.model.world import World

QUEUES = {"EMAIL": "task-execution", "SPECIAL": "special"}


@dataclass(frozen=True)
class Parts:
    """What a dispatcher is made of: the product's own parts, unless a mutant is tried."""

    dispatch: type[Dispatch] = Dispatch
    pump: type[Pump] = Pump
    gates: type[Gates] = Gates
    table: type[SimulatedTable] = SimulatedTable
    clock: type[HeardClock] = HeardClock


class Machine:
    """A machine with a disk and a clock, on which one dispatcher at a time may live.

    `cut_off`: the group does not hear of it; `zombie`: the group has given its partitions to others, and it does not
    know.
    """

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.disk, self.clock = Disk(), WallClock()
        self.lives = 0
        self.zombie = self.cut_off = False
        self.life: Life | None = None

    @property
    def alive(self) -> bool:
        """Whether a process runs."""
        return self.life is not None and not self.life.dead

    @property
    def member(self) -> bool:
        """Whether the group counts it."""
        return self.alive and not self.zombie

    def start(self) -> None:
        """Start a process. It holds nothing until the group gives it something."""
        self.lives += 1
        world, life = self.world, Life(f"{self.name}.{self.lives}", self.world.chance)
        self.life, self.zombie, self.cut_off = life, False, False
        kafka, parts = world.kafka, world.parts
        probe: Any = SimulatedProbe(kafka, life)
        self.tables = [parts.table(name, self.disk, kafka, life) for name in ("pending", "dedup")]
        pending, dedup = Pending(self.tables[0]), Dedup(self.tables[1])
        publisher: Any = SimulatedPublisher(world.rabbit, life, world.oracle)
        facts: Any = SimulatedFactLog(kafka, life, world.oracle.tells)
        self.heard = HeardClock(self.clock)
        self.heard = parts.clock(self.clock)
        scribe = Scribe("dispatch", life.name, lambda: rfc3339(self.clock.now_ms()))
        self.pump = parts.pump(
            pending,
            publisher,
            facts,
            scribe,
            self.heard,
            QUEUES.__getitem__,
            LIMITS,
            window=3,
            reconcile_seconds=5.0,
            settle_seconds=1.0,
        )
        self.gates = parts.gates()
        self.dispatch = parts.dispatch(TOPIC, pending, dedup, self.gates, probe, self.pump)
        self.seat = Seat(life, kafka, probe, world.group)
        plan: Any = SimpleNamespace(name=TOPIC)
        register(self.seat, plan, self.dispatch)  # type: ignore[arg-type]
        self._assigning: asyncio.Task[None] | None = None
        self._taking: asyncio.Task[None] | None = None
        self._looked_at: dict[tuple[str, int], tuple[Rows, int, int]] = {}
        life.spawn(self._begin())

    async def _begin(self) -> None:
        await self.dispatch.start()
        await self.seat.live()

    def kill(self) -> None:
        """SIGKILL."""
        if self.life is not None:
            self.life.kill()

    async def stop(self) -> None:
        """SIGTERM: give everything back and end."""
        life = self.life
        if life is not None and not life.dead:
            await self._inside(lambda: self._stop(life))

    async def _stop(self, life: Life) -> None:
        await self.revoke()
        await self.dispatch.stop()
        life.kill()

    async def revoke(self) -> None:
        """The group takes everything away; returns when it is settled."""
        life = self.life
        if life is None or life.dead:
            return
        if self._assigning is not None:
            await asyncio.wait({self._assigning})  # Faust answers the group one call after the other
        await self._inside(self.seat.revoke)
        self.world.oracle.gave_up(life)

    def take(self, partitions: set[int]) -> None:
        """The group gives partitions."""
        if self.alive and self.life is not None:
            self._assigning = self.life.spawn(self._assigned(self.life, partitions))

    async def _assigned(self, life: Life, partitions: set[int]) -> None:
        # As in Faust: what was being restored goes on through a revocation, and ends only with the next assignment.
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.wait({self._taking})
        ends = {partition: self.world.kafka.end(TOPIC, partition) for partition in partitions}
        self.world.oracle.took_over(life, self.heard, ends)
        await self.seat.assigned(partitions)
        self._taking = life.spawn(self.seat.take(partitions))

    async def _inside(self, what: Callable[[], Any]) -> None:
        """Run something in the process; it ends also when the process does."""
        if self.life is not None:
            await asyncio.wait({self.life.spawn(what())})

    def odd_tables(self) -> list[str]:
        """Where tables differ from the oracle's fold. Looked at only while every gate is open, and after changes."""
        found: list[str] = []
        if not self.alive or self.zombie or self.dispatch.behind() or not self.seat.settled:
            return found
        for table in self.tables:
            for partition in table.held():
                file = table.open[partition]
                state = file, file.version, table.applied(partition) or 0
                if self._looked_at.get((table.name, partition)) != state:
                    self._looked_at[table.name, partition] = state
                    found.extend(self._odd_rows(table, partition))
        return found

    def _odd_rows(self, table: SimulatedTable, partition: int) -> list[str]:
        rows = dict(table.items(partition))
        wanted = self.world.oracle.rows(partition, table.applied(partition) or 0, table.name)
        return [
            f"{self.life} {table.name}-{partition} {key!r}: {rows.get(key)!r} not {wanted.get(key)!r}"
            for key in sorted(rows.keys() | wanted.keys())
            if rows.get(key) != wanted.get(key)
        ]
