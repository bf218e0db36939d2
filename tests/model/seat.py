"""What stands between a simulated Kafka and the real agent: the engine's own steps, taken from `StreamApp` and its
consumer, over a fetch loop that Faust would run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streamapp.stream.batch import RecordBatch, record_of
from streamapp.stream.engine import StreamApp
from streamapp.stream.folding import Folds, fold_all
from streamapp.stream.positions import Positions
from streamapp.stream.topics import TopicPlan
from streamapp.stream.transport import Consumer
from streamapp.stream.write_behind import WriteBehind
from tests.model.disk import Changelogs, SimulatedTable
from tests.model.doors import SimulatedProbe
from tests.model.kafka import TOPIC, Kafka, Record
from tests.model.life import Life

FETCHED_AT_ONCE = 5
FETCH_WAITS = (0.0, 0.02, 0.3)
"""How long a fetch waits for more at most, in seconds: the reader is quick, as the product's is, or behind."""
BATCHES_ON_THEIR_WAY = 2
STORE_PACE_SECONDS = 0.25


class SimulatedConsumer:
    """Faust's consumer of the diary. `group` holds the group's committed offsets, from which Faust starts to read."""

    find_starts = Consumer.find_starts
    perform_seek = Consumer.perform_seek
    idle_position = Consumer.idle_position
    _on_their_way = Consumer._on_their_way
    _is_on_its_way = Consumer._is_on_its_way
    _batch_of = Consumer._batch_of
    _deliver = Consumer._deliver
    folded = Consumer.folded
    _is_empty = Consumer._is_empty

    def __init__(self, seat: "Seat", kafka: Kafka, probe: SimulatedProbe, group: dict[int, int]) -> None:
        self.app = seat
        self.flow_active = False
        self.suspend_flow = asyncio.Event()
        self._kafka, self._probe, self._holes, self._group = kafka, probe, probe, group
        self._positions = seat.positions
        self._starts: dict[TP, int] = {}
        self._between_fetches = asyncio.Event()
        self._between_fetches.set()
        self._expected: dict[TP, int] = {}
        self._in_flight: list[Any] = []
        self._room = asyncio.Event()
        self._read_offset: dict[TP, int | None] = {}
        self._committed_offset: dict[TP, int | None] = {}
        self._fetched_to: dict[TP, int] = {}
        self.batches: asyncio.Queue[Any] = asyncio.Queue()
        self.bell = asyncio.Event()
        """Rung when there may be something to fetch."""

    def assign(self, partitions: set[int]) -> None:
        """Read these partitions from now on, from where the group is."""
        self._fetched_to = {TP(TOPIC, partition): self._group.get(partition, 0) for partition in sorted(partitions)}

    def assignment(self) -> set[TP]:
        """What is read."""
        return set(self._fetched_to)

    def stop_flow(self) -> None:
        """Fetch nothing."""
        self.flow_active = False
        self.suspend_flow.set()

    def resume_flow(self) -> None:
        """Fetch again."""
        self.flow_active = True
        self.suspend_flow.clear()
        self.bell.set()

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        """Where the partitions begin."""
        return dict.fromkeys(tps, 0)

    async def seek_wait(self, starts: dict[TP, int]) -> None:
        """Read on from there."""
        self._fetched_to.update(starts)

    async def position(self, tp: TP) -> int:
        """Where the next fetch begins."""
        return self._fetched_to[tp]

    async def callback(self, message: Any) -> None:
        """Hand a batch to the agent."""
        await self.batches.put(message)

    async def wait_first(self, first: Awaitable[Any], *others: Any) -> None:
        """The first one, which waits for nothing here: there is always room for a batch. The others are given up."""
        for other in others:
            other.close()
        await first

    async def fetch(self, life: Life) -> None:
        """Faust's fetcher: one fetch after the other, while the flow is on; then until there is something to fetch."""
        self._kafka.readers[self.bell] = None
        try:
            while True:
                self.bell.clear()
                if not await self._fetch_all(life):
                    await self.bell.wait()
                    await asyncio.sleep(life.chance.random() * life.chance.choice(FETCH_WAITS))
        finally:
            del self._kafka.readers[self.bell]

    async def _fetch_all(self, life: Life) -> bool:
        """One fetch of each partition; whether it brought anything."""
        fetched = False
        for tp in list(self._fetched_to):
            free = self._kafka.up.is_set() and len(self._on_their_way()) < BATCHES_ON_THEIR_WAY
            if self.flow_active and free and tp in self._fetched_to:  # it may be given away during a fetch
                self._between_fetches.clear()
                try:
                    fetched |= await self._fetch_once(life, tp)
                finally:
                    self._between_fetches.set()
        return fetched

    async def _fetch_once(self, life: Life, tp: TP) -> bool:
        records, after = self._kafka.read(TOPIC, tp.partition, self._fetched_to[tp], FETCHED_AT_ONCE)
        if after == self._fetched_to[tp]:
            return False
        found = [_as_fetched(row) for row in records]
        self._fetched_to[tp] = after
        await life.step()
        if found and self.flow_active:
            batch = await self._batch_of(tp, found)
            if batch is not None and self.flow_active:
                await self._deliver([batch])
        return True


def _as_fetched(row: Record) -> Any:
    return record_of(None, SimpleNamespace(offset=row.offset, key=row.key, value=row.value, timestamp=row.at))


class Seat:
    """What an agent needs of a StreamApp."""

    when_idle = StreamApp.when_idle
    _idle_position = StreamApp._idle_position
    restore_tables = StreamApp.restore_tables
    _shut = StreamApp._shut
    _take_over = StreamApp._take_over
    _rebalance_complete = StreamApp._rebalance_complete
    _partitions_revoked = StreamApp._partitions_revoked
    _partitions_assigned = StreamApp._partitions_assigned

    def __init__(self, life: Life, kafka: Kafka, probe: SimulatedProbe, group: dict[int, int]) -> None:
        self.positions, self.folds = Positions(), Folds()
        self.write_behinds: list[WriteBehind] = []
        self.batch_tables: list[SimulatedTable] = []
        self.residents: list[Any] = []
        self.servers = Changelogs(kafka, life)
        self.settled = self.should_stop = self.rebalancing = False
        self.consumer_generation_id = 0
        self.flow_control = SimpleNamespace(suspend=lambda: None)
        self.assignor = SimpleNamespace(assigned_actives=self._actives)
        self.consumer = SimulatedConsumer(self, kafka, probe, group)
        self._taking_over: asyncio.Task[None] | None = None
        self._taken_away = False
        self._life = life
        self._background: list[Callable[[], Awaitable[None]]] = [lambda: self.consumer.fetch(life)]

    def fold(
        self,
        name: str,
        topic: TopicPlan,
        tables: list[SimulatedTable],
        handle: Callable[[RecordBatch], Awaitable[None]],
        *,
        complete: bool,
    ) -> None:
        """See `StreamApp.fold`."""
        self.positions.feed(topic.name, *tables, complete=complete)
        self.batch_tables.extend(tables)

        behind = WriteBehind(name, tables, STORE_PACE_SECONDS)
        self.write_behinds.append(behind)

        async def agent() -> None:
            while True:
                message = await self.consumer.batches.get()
                await self.folds.run(fold_all(name, message.value, handle, tables, behind.folded))
                self.consumer.folded(message.value)
                self.consumer.bell.set()

        self._background.append(agent)

    def task(self, background: Callable[[], Awaitable[None]]) -> None:
        """See mode's `Service.task`."""
        self._background.append(background)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def live(self) -> None:
        """Run everything in the background."""
        for background in self._background:
            self._life.spawn(background())

    async def revoke(self) -> None:
        """Faust on revocation: stop the flow, tell the app, empty the agents' queues."""
        self.consumer.stop_flow()
        self.consumer_generation_id += 1
        await self._partitions_revoked()
        while not self.consumer.batches.empty():
            self.consumer.folded(self.consumer.batches.get_nowait().value)
        self.consumer.bell.set()

    async def assigned(self, partitions: set[int]) -> None:
        """Faust on assignment."""
        self.consumer.assign(partitions)
        await self._partitions_assigned()

    async def take(self, partitions: set[int]) -> None:
        """Faust after an assignment: recover the tables, tell the app, seek, resume the flow."""
        await self.servers.kafka.up.wait()
        await self._life.step()
        begun = [table.begin(partitions) for table in self.batch_tables]
        await self.restore_tables({tp: end for ends in begun for tp, end in ends.items()})
        await self._rebalance_complete()
        await self.consumer.perform_seek()
        self.consumer.resume_flow()

    def _actives(self) -> set[TP]:
        held = self.consumer.assignment()
        return {TP(table.changelog, tp.partition) for table in self.batch_tables for tp in held}
