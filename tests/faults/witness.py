"""Reads the diary all the time with a plain client, folds it, and knows what is under way at every moment."""

import asyncio
from collections import deque
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.domain.facts import AnyFact, Recorded, TaskExecutionCompleted
from streamapp.domain.task import Task, apply
from streamapp.wire import facts

T = TypeVar("T")


class Witness:
    """Follows one topic. Attributes: `tasks` by id; `completions`, the broker's times of completed facts."""

    def __init__(self, servers: str, topic: str, partitions: int) -> None:
        self._servers = servers
        self._tps = [TopicPartition(topic, number) for number in range(partitions)]
        self._at = dict.fromkeys(self._tps, 0)
        self._following: asyncio.Task[None] | None = None
        self.tasks: dict[str, Task] = {}
        self.completions: deque[int] = deque(maxlen=200_000)
        self.facts: list[AnyFact] = []

    async def start(self) -> None:
        """Begin to follow."""
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    @property
    def accepted(self) -> int:
        """Tasks accepted so far."""
        return sum(task.progress.accepted_id is not None for task in self.tasks.values())

    def open(self) -> list[str]:
        """Tasks accepted and not ended."""
        return [
            task_id
            for task_id, task in self.tasks.items()
            if task.progress.accepted_id is not None and not task.progress.terminal
        ]

    def started(self, task_id: str) -> bool:
        """Whether a worker has begun with a task."""
        task = self.tasks.get(task_id)
        return task is not None and bool(task.progress.tokens)

    def ended(self, task_id: str) -> bool:
        """Whether a task has its terminal fact."""
        task = self.tasks.get(task_id)
        return task is not None and task.progress.terminal

    def facts_of(self, kind: type[T]) -> list[T]:
        """The facts of one type so far."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def completed_since(self, at_ms: int) -> int:
        """Completed facts since a broker's time."""
        return sum(at >= at_ms for at in self.completions)

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError):
                await asyncio.sleep(0.2)  # it is away: that is what this suite is about

    async def _read(self) -> None:
        reader = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
            request_timeout_ms=5_000,
        )
        try:
            await reader.start()
            reader.assign(self._tps)
            for tp, offset in self._at.items():
                reader.seek(tp, offset)
            while True:
                for tp, records in (await reader.getmany(timeout_ms=200)).items():
                    for record in records:
                        self._take(record.key, record.value, record.offset, record.timestamp)
                        self._at[tp] = record.offset + 1
        finally:
            await reader.stop()

    def _take(self, key: bytes | None, value: bytes | None, offset: int, at: int) -> None:
        try:
            fact = facts.decode(key, value)
        except facts.Undecodable:
            return
        self.facts.append(fact)
        task = self.tasks.setdefault(fact.task_id, Task(fact.task_id))
        apply(task, Recorded(fact, offset, at))
        if isinstance(fact, TaskExecutionCompleted):
            self.completions.append(at)
