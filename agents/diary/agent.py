"""The fold of the diary: facts into tasks and totals, and what of it was new to whoever watches."""

import asyncio

from agents.diary.arrivals import Arrivals
from agents.diary.events import Event, Events, event_of
from agents.diary.indexes import Indexes
from streamapp.clock import Clock, SystemClock
from streamapp.domain.dispatch import Limits
from streamapp.domain.statistics import Statistics
from streamapp.domain.task import Task
from streamapp.domain.totals import Unreadable
from streamapp.domain.views import tell_diary
from streamapp.stream.batch import RecordBatch
from streamapp.stream.engine import StreamApp
from streamapp.stream.resident import Resident
from streamapp.stream.topics import TopicPlan
from streamapp.telemetry import get_log
from streamapp.wire.records import read
from tables.tasks import Tasks
from tables.totals import PartitionTotals

NAME = "diary"
RECORDS_BETWEEN_YIELDS = 200
INDEXED_TASKS = 100_000

log = get_log(__name__)


class Diary(Resident):
    """Folds record batches into the tables of the views, and keeps the indexes that lists are answered from.

    Args:
        topic: of the facts.
        tasks, totals: the tables.
        limits: after which an open task is overdue.
        indexed: tasks that have ended, of all partitions together, that lists reach back to.
        clock: for what is remembered for a while.
    """

    def __init__(
        self,
        topic: str,
        tasks: Tasks,
        totals: PartitionTotals,
        limits: Limits | None = None,
        *,
        indexed: int = INDEXED_TASKS,
        clock: Clock | None = None,
    ) -> None:
        self.topic = topic
        self.tasks = tasks
        self.totals = totals
        self.indexes = Indexes(tasks, limits or Limits(), indexed)
        self.arrivals = Arrivals()
        self.events = Events(clock or SystemClock())

    async def fold(self, batch: RecordBatch) -> None:
        """Fold a batch into both tables; then tell who watches.

        A record that is no fact is counted, kept visible with its reason, and skipped.
        """
        partition = batch.partition
        events: list[Event] | None = [] if self.events.wanted() else None
        try:
            touched, statistics = await self._fold(batch, events)
            # Nothing is awaited between the two: a pass is cut through both at the same batch.
            self.totals.put(partition, statistics, batch.end)
            rows = self.tasks.put(partition, touched, batch.end)
        except BaseException:
            self.totals.forget(partition)  # they may have counted what was never stored
            raise
        self.indexes.note(partition, rows, batch.end)
        if events is not None:
            self.events.tell(partition, batch.start, batch.end, events)
        self.arrivals.arrived(partition, touched)

    async def _fold(self, batch: RecordBatch, events: list[Event] | None) -> tuple[dict[bytes, Task], Statistics]:
        """Fold a batch. Returns the tasks that it was about, and what it all adds up to."""
        partition, statistics = batch.partition, self.totals.of(batch.partition)
        touched: dict[bytes, Task] = {}

        def task_of(task_id: str) -> Task:
            key = task_id.encode()
            task = touched.get(key)
            if task is None:
                task = touched[key] = self.tasks.get(partition, key) or Task(task_id)
            return task

        for number, record in enumerate(batch.records):
            if number % RECORDS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
            item = batch.item(number, read)
            task = tell_diary(item, statistics, task_of)
            if isinstance(item, Unreadable):
                place = {"topic": batch.topic, "partition": partition, "offset": record.offset}
                log.warning("a record of the diary is no fact, skipped", reason=item.reason, **place)
            elif events is not None and task is not None:
                events.append(event_of(partition, item, task))
        return touched, statistics

    async def restored(self) -> None:
        """Fold a partition anew whose totals were lost: they count what a fact changes, so no task may be ahead.

        The rows of the totals are read now, in a thread, and not when the first batch is folded.
        """
        for partition in self.tasks.table.held():
            counted, folded = self.totals.table.applied(partition) or 0, self.tasks.table.applied(partition) or 0
            if counted < folded:
                log.warning("totals are behind the tasks, both are folded anew", partition=partition)
                self.tasks.table.forget(partition)
        self.totals.reassigned()
        for partition in self.totals.table.held():
            await asyncio.to_thread(self.totals.of, partition)

    async def assigned(self, partitions: dict[str, set[int]]) -> None:
        """Build the indexes of the partitions that are new here, while they are folded on."""
        self.indexes.assigned()

    async def revoked(self) -> None:
        """Build no more."""
        await self.indexes.revoked()


def register(app: StreamApp, plan: TopicPlan, diary: Diary) -> None:
    """Register the agent with a StreamApp."""
    app.residents.append(diary)
    app.fold(NAME, plan, [diary.totals.table, diary.tasks.table], diary.fold, complete=True)
