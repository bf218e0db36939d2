"""The fold of dispatch: facts into the outbox, and the gate in front of the pump."""

import asyncio

from agents.dispatch.pump import Pump
from streamapp.domain.facts import AnyFact, TaskDispatched, TaskExecutionStarted, TaskRequeued
from streamapp.domain.outbox import Closed, Memory, Open, later
from streamapp.domain.progress import State
from streamapp.domain.totals import Unreadable
from streamapp.domain.views import Outbox
from streamapp.metrics.outbox import OutboxMetrics
from streamapp.stream.batch import RecordBatch
from streamapp.stream.engine import StreamApp
from streamapp.stream.horizon import Gates, Probe
from streamapp.stream.resident import Resident
from streamapp.stream.topics import TopicPlan
from streamapp.telemetry import get_log
from streamapp.wire.records import read
from tables.dedup import Dedup
from tables.pending import Pending

NAME = "dispatch"
RECORDS_BETWEEN_YIELDS = 200
CANNOT_REQUEUE = (
    "a task cannot be requeued: its entry was closed by an earlier version, which kept nothing of it. "
    "`streamapp replay dispatch --wipe` folds the outbox anew, and what was asked for meanwhile is done then"
)

log = get_log(__name__)


class Dispatch(Resident):
    """Folds record batches into the outbox and tells the pump what changed."""

    def __init__(self, topic: str, pending: Pending, dedup: Dedup, gates: Gates, probe: Probe, pump: Pump) -> None:
        self.tables = [dedup.table, pending.table]
        self._topic = topic
        self._pending = pending
        self._dedup = dedup
        self._gates = gates
        self._probe = probe
        self._pump = pump

    async def fold(self, batch: RecordBatch) -> None:
        """Fold a batch, then let the pump see it."""
        outbox: Outbox[bytes] = Outbox(lambda key: self._memory(batch.partition, key))
        started: list[tuple[str, int]] = []
        for number in range(len(batch.records)):
            if number % RECORDS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
            item = batch.item(number, read)
            if isinstance(item, Unreadable):
                continue  # the diary names it among the unreadable; nothing can be due because of it
            memory = outbox.tell(item.fact.task_id.encode(), item)
            if isinstance(memory, Open) and memory.queue and _tells_a_start(item.fact, memory):
                started.append((memory.queue, memory.dispatched_at))
            elif isinstance(item.fact, TaskRequeued) and _keeps_too_little(memory):
                log.warning(CANNOT_REQUEUE, task=item.fact.task_id, partition=batch.partition, offset=item.offset)
        # Nothing is awaited between the two: a pass is cut through both at the same batch. Closed entries are stored
        # first (`tables`): of an entry that is in both tables after a crash the later one holds, and a closed one that
        # is to be opened again stays in its table, so that nothing is in none.
        self._dedup.put(batch.partition, outbox.closed, batch.end)
        self._pending.put(batch.partition, outbox.entries, batch.end)
        self._pump.moved_on(started)
        if self._gates.advance(batch.partition, batch.end):
            await self._open(batch.partition)
        elif self._gates.is_open(batch.partition):
            self._pump.changed(batch.partition, outbox.touched)

    def _memory(self, partition: int, key: bytes) -> Memory | None:
        closed = self._dedup.get(partition, key)
        if closed is not None and closed.kept is None:
            return closed
        return later(closed, self._pending.get(partition, key))

    async def _open(self, partition: int) -> None:
        due = await self._pump.open(partition)
        log.info("gate open", partition=partition, open_entries=due)

    async def start(self) -> None:
        """Start the pump; it waits for a gate to open."""
        await self._pump.start()

    async def restored(self) -> None:
        """Fold a partition anew whose closed entries were lost: the open ones do not tell what ended meanwhile."""
        for partition in self._pending.table.held():
            closed, opened = (table.applied(partition) or 0 for table in self.tables)
            if closed < opened:
                log.warning("closed entries are behind the open ones, both are folded anew", partition=partition)
                self._pending.table.forget(partition)

    async def assigned(self, partitions: dict[str, set[int]]) -> None:
        """Capture the horizon of every partition held now, before its first fact is folded."""
        held = partitions.get(self._topic, set())
        horizon = await self._probe.ends_patiently(self._topic, held)
        # The lower one counts: with closed entries lost, what the open ones have seen would pass ended tasks as new.
        reached = {partition: min(table.applied(partition) or 0 for table in self.tables) for partition in held}
        self._gates.capture(horizon, reached)
        log.info("horizon captured", horizon=horizon, reached=reached)
        for partition in held:
            if self._gates.is_open(partition):
                await self._open(partition)

    async def caught_up(self, partition: int, position: int) -> None:
        """Nothing is left to read below `position`: what is missing there were markers and aborted records."""
        if self._gates.advance(partition, position):
            await self._open(partition)

    def behind(self) -> dict[int, tuple[int, int]]:
        """The partitions whose gate is shut: reached, horizon."""
        return self._gates.waiting()

    def remaining(self) -> dict[int, int]:
        """Facts to be folded until the gate opens, by partition held; 0 once it is open."""
        return self._gates.remaining()

    async def revoked(self) -> None:
        """Shut every gate and settle what is in flight."""
        self._gates.shut()
        await self._pump.settle()

    async def stop(self) -> None:
        """Shut every gate, settle, stop."""
        self._gates.shut()
        await self._pump.stop()
        await self._probe.close()


def _tells_a_start(fact: AnyFact, memory: Open) -> bool:
    """Whether the present attempt runs, and the fact is of it and one of the two that say when it was dispatched.

    They come in any order. A start of an earlier attempt may come late, and says nothing about the present one.
    """
    if not isinstance(fact, TaskDispatched | TaskExecutionStarted) or fact.attempt != memory.progress.attempt:
        return False
    return memory.progress.state is State.RUNNING


def _keeps_too_little(memory: Memory) -> bool:
    """Whether it is the row of a task that has failed for good, written when nothing could open it again."""
    return isinstance(memory, Closed) and memory.state is State.FAILED_PERMANENTLY and memory.kept is None


def measure(dispatch: Dispatch, pump: Pump, metrics: OutboxMetrics) -> None:
    """Tell of outbox and gates at every scrape."""
    metrics.watch(pump.stages, pump.acting, dispatch.remaining)


def register(app: StreamApp, plan: TopicPlan, dispatch: Dispatch) -> None:
    """Register the agent with a StreamApp."""
    app.residents.append(dispatch)
    app.fold(NAME, plan, dispatch.tables, dispatch.fold, complete=True)
    app.when_idle(plan.name, dispatch.behind, dispatch.caught_up)
