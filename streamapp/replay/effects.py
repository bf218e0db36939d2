"""What was caused while a role replayed: counted from the facts, and from the jobs that RabbitMQ was seen to get.

A fact of the window (appended since the horizon was captured) was caused by replay if it is about an attempt that was
through below the horizon: a job dispatched once more, or a run of one that had ended. Work that was still to be done
then is life, not replay, and is counted apart. The number of both is told, so that nobody has to believe it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streamapp.domain.facts import (
    Recorded,
    TaskDispatched,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskExecutionStarted,
)
from streamapp.replay.survey import TopicSurvey
from streamapp.stream.batch import Record
from streamapp.stream.topic_log import TopicLog
from streamapp.wire.records import read

Attempt = tuple[str, int]
"""Task id and attempt."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Counts. `queued` is what RabbitMQ was seen to get, None if nobody looked.

    `dispatched_again` and `queued_again` are jobs of attempts that were dispatched below the horizon, `executed_again`
    starts of attempts that had ended there. These three are what a replay may never cause.
    """

    appended: int
    dispatched: int
    dispatched_again: int
    executed: int
    executed_again: int
    queued: int | None
    queued_again: int | None

    @property
    def caused(self) -> bool:
        """Whether replay caused anything."""
        return bool(self.dispatched_again or self.executed_again or self.queued_again)


@dataclass(slots=True)
class Window:
    """What the facts since the horizon speak of."""

    records: int = 0
    dispatched: list[Attempt] = field(default_factory=list)
    started: list[Attempt] = field(default_factory=list)

    def tell(self, records: Iterable[Record]) -> None:
        """Note the next records above the horizon."""
        for record in records:
            self.records += 1
            fact = _fact(record)
            if isinstance(fact, TaskDispatched):
                self.dispatched.append((fact.task_id, fact.attempt))
            elif isinstance(fact, TaskExecutionStarted):
                self.started.append((fact.task_id, fact.attempt))


@dataclass(slots=True)
class Before:
    """Which of the attempts `about` were through below the horizon."""

    about: frozenset[Attempt]
    dispatched: set[Attempt] = field(default_factory=set)
    ended: set[Attempt] = field(default_factory=set)

    def tell(self, records: Iterable[Record]) -> None:
        """Note the next records below the horizon."""
        for record in records:
            fact = _fact(record)
            if isinstance(fact, TaskDispatched) and (fact.task_id, fact.attempt) in self.about:
                self.dispatched.add((fact.task_id, fact.attempt))
            if isinstance(fact, TaskExecutionCompleted | TaskExecutionFailed):
                attempt = (fact.task_id, fact.attempt)
                if attempt in self.about:
                    self.ended.add(attempt)


def judge(window: Window, before: Before, queued: Sequence[Attempt] | None) -> Effects:
    """The counts."""
    return Effects(
        window.records,
        len(window.dispatched),
        sum(attempt in before.dispatched for attempt in window.dispatched),
        len(window.started),
        sum(attempt in before.ended for attempt in window.started),
        None if queued is None else len(queued),
        None if queued is None else sum(attempt in before.dispatched for attempt in queued),
    )


def attempt_of(message_id: str) -> Attempt | None:
    """Task and attempt of a job's message id; None if it is none of ours."""
    task_id, _, attempt = message_id.rpartition(":")
    return (task_id, int(attempt)) if task_id and attempt.isascii() and attempt.isdecimal() else None


async def effects(
    bootstrap_servers: str, diary: TopicSurvey, ends: Mapping[int, int], message_ids: Sequence[str] | None
) -> Effects:
    """Count what was caused since `diary` was surveyed.

    Args:
        bootstrap_servers: Kafka.
        diary: the horizon.
        ends: where the diary's partitions ended when the replay was over.
        message_ids: of the jobs that RabbitMQ got meanwhile; None if nobody looked.

    Raises:
        Unavailable: Kafka does not answer.
    """
    queued = None if message_ids is None else [found for name in message_ids if (found := attempt_of(name))]
    window = Window()
    async with TopicLog(bootstrap_servers, diary.topic) as log:
        for partition in diary.partitions:
            async for records in log.read(partition.partition, partition.end, ends[partition.partition]):
                window.tell(records)
        before = Before(frozenset([*window.dispatched, *window.started, *(queued or ())]))
        for partition in diary.partitions if before.about else ():
            async for records in log.read(partition.partition, partition.first or 0, partition.end):
                before.tell(records)
    return judge(window, before, queued)


def _fact(record: Record) -> object:
    item = read(record.key, record.value, record.offset, record.at)
    return item.fact if isinstance(item, Recorded) else None
