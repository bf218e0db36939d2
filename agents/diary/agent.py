"""The fold of the diary: facts into tasks and totals."""

import asyncio

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

log = get_log(__name__)


class Diary(Resident):
    """Folds record batches into the tables of the views."""

    def __init__(self, topic: str, tasks: Tasks, totals: PartitionTotals) -> None:
        self.topic = topic
        self.tasks = tasks
        self.totals = totals

    async def fold(self, batch: RecordBatch) -> None:
        """Fold a batch and make it durable, totals first (`domain/totals`).

        A record that is no fact is counted, kept visible with its reason, and skipped.
        """
        try:
            statistics = self.totals.of(batch.partition)
            touched: dict[bytes, Task] = {}

            def task_of(task_id: str) -> Task:
                key = task_id.encode()
                task = touched.get(key)
                if task is None:
                    task = touched[key] = self.tasks.get(batch.partition, key) or Task(task_id)
                return task

            for number, record in enumerate(batch.records):
                if number % RECORDS_BETWEEN_YIELDS == 0:
                    await asyncio.sleep(0)
                item = read(record.key, record.value, record.offset, record.at)
                if isinstance(item, Unreadable):
                    place = {"topic": batch.topic, "partition": batch.partition, "offset": record.offset}
                    log.warning("a record of the diary is no fact, skipped", reason=item.reason, **place)
                tell_diary(item, statistics, task_of)
            await self.totals.write(batch.partition, statistics, batch.end)
            await self.tasks.write(batch.partition, touched, batch.end)
        except BaseException:
            self.totals.forget(batch.partition)  # it may have counted what was never stored
            raise

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


def register(app: StreamApp, plan: TopicPlan, diary: Diary) -> None:
    """Register the agent with a StreamApp."""
    app.residents.append(diary)
    app.fold(NAME, plan, [diary.totals.table, diary.tasks.table], diary.fold, complete=True)
