"""The diary told task by task, once, for all rules: facts in order, what ended the task, and the fold's opinion of it.

What ends a task is found here a second time, apart from the domain's state machine, from the one sentence of the design
that decides it: an outcome counts with the highest token folded for its attempt, and the first counting terminal fact
by offset is final.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streamapp.audit.evidence import Line
from streamapp.domain.facts import (
    Recorded,
    TaskAccepted,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskExecutionStarted,
    TaskFailedPermanently,
    Token,
)
from streamapp.domain.task import Task, apply
from streamapp.wire import facts


@dataclass(slots=True)
class Story:
    """One task: its facts in the order of their offsets, each id once, and the fold of them."""

    task_id: str
    partition: int
    facts: list[Recorded] = field(default_factory=list)
    task: Task = field(default_factory=lambda: Task(""))
    repeated: int = 0

    @property
    def accepted(self) -> Recorded | None:
        """The acceptance that holds: the first one."""
        return next(self.of(TaskAccepted), None)

    def of(self, kind: type, attempt: int | None = None) -> Iterator[Recorded]:
        """Its facts of one kind, of one attempt or of all."""
        for told in self.facts:
            if isinstance(told.fact, kind) and (attempt is None or getattr(told.fact, "attempt", None) == attempt):
                yield told

    def end(self) -> Recorded | None:
        """The terminal fact that counts."""
        highest: dict[int, Token] = {}
        for told in self.facts:
            match told.fact:
                case TaskExecutionStarted() as fact if fact.token > highest.get(fact.attempt, fact.token):
                    highest[fact.attempt] = fact.token
                case TaskExecutionStarted() as fact:
                    highest.setdefault(fact.attempt, fact.token)
                case TaskExecutionCompleted() as fact if fact.token >= highest.get(fact.attempt, fact.token):
                    return told
                case TaskExecutionFailed() as fact if fact.token >= highest.get(fact.attempt, fact.token):
                    highest[fact.attempt] = fact.token
                case TaskFailedPermanently() as fact if fact.attempt >= self._last_attempt_before(told):
                    return told
        return None

    def where(self, told: Recorded) -> str:
        """The place of a fact of this task."""
        return f"{self.partition}:{told.offset}"

    def _last_attempt_before(self, told: Recorded) -> int:
        before = (item.fact for item in self.facts if item.offset < told.offset)
        return max((getattr(fact, "attempt", 0) for fact in before), default=0)


@dataclass(frozen=True, slots=True)
class Diary:
    """Every story by task id, and the records that nobody can read, by place."""

    stories: dict[str, Story]
    unreadable: dict[tuple[int, int], str]


def tell(log: Iterable[Line]) -> Diary:
    """The diary as stories."""
    stories: dict[str, Story] = {}
    unreadable: dict[tuple[int, int], str] = {}
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for line in log:
        try:
            fact = facts.decode(line.key, line.value)
        except facts.Undecodable as error:
            unreadable[line.partition, line.offset] = str(error)
            continue
        story = stories.get(fact.task_id)
        if story is None:
            story = stories[fact.task_id] = Story(fact.task_id, line.partition, task=Task(fact.task_id))
        told = Recorded(fact, line.offset, line.at)
        apply(story.task, told)
        if fact.id in seen[fact.task_id]:
            story.repeated += 1
            continue
        seen[fact.task_id].add(fact.id)
        story.facts.append(told)
    return Diary(stories, unreadable)
