"""The diary told task by task, once, for all rules: facts in order, their rounds, and the fold's opinion of them.

What begins and ends a round is found apart from the domain's state machine: see `rounds`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streamapp.audit.evidence import Line
from streamapp.audit.rounds import Round, rounds_of
from streamapp.domain.facts import Recorded, TaskAccepted
from streamapp.domain.task import Task, apply
from streamapp.wire import facts


@dataclass(slots=True)
class Story:
    """One task: its facts in the order of their offsets, each id once, its rounds, and the fold of it all."""

    task_id: str
    partition: int
    facts: list[Recorded] = field(default_factory=list)
    task: Task = field(default_factory=lambda: Task(""))
    repeated: int = 0
    rounds: list[Round] = field(default_factory=lambda: [Round(1)])

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
        """The terminal fact that counts now: that of the last round."""
        return self.rounds[-1].end

    def round_of(self, attempt: int) -> Round:
        """The round that an attempt belongs to, whether or not it should have been there."""
        return next(found for found in reversed(self.rounds) if found.first <= max(attempt, 1))

    def requeued(self, attempt: int) -> Recorded | None:
        """The TaskRequeued that opened this very attempt."""
        found = self.round_of(attempt)
        return found.opened if found.first == attempt else None

    def where(self, told: Recorded) -> str:
        """The place of a fact of this task."""
        return f"{self.partition}:{told.offset}"


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
    for story in stories.values():
        story.rounds = rounds_of(story.facts)
    return Diary(stories, unreadable)
