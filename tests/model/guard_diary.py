"""The diary of the guard's model: facts in the order in which Kafka took them, and facts still on their way.

In: facts of workers and of dispatch. Out: folded tasks, as `streamapp guard rebuild` reads them. It shares the fold
with the product; what a rebuilt guard owes to it, `guard_memory` says by itself.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import (
    AnyFact,
    Origin,
    Recorded,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskExecutionStarted,
    TaskRequeued,
    Token,
)
from streamapp.domain.policy import Policy
from streamapp.domain.progress import State
from streamapp.domain.task import Task, fold
from streamapp.wire.scribe import Scribe

SCRIBE = Scribe("test", "guard-model", lambda: "2026-01-01T00:00:00.000Z")
WAITING = (State.ACCEPTED, State.RETRY_SCHEDULED)
Landed = Callable[[], None]


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A fact that a producer has sent and Kafka has not taken. `landed` is the producer's acknowledgement."""

    fact: AnyFact
    sender: str
    landed: Landed


class Diary:
    """`dispatched` counts the attempts of each task whose jobs are, or were, in the queue."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._facts: dict[str, list[Recorded]] = defaultdict(list)
        self.tasks: dict[str, Task] = {}
        self.dispatched: dict[str, int] = {}
        self._firsts: dict[tuple[str, int], int] = {}
        self.on_their_way: list[OnItsWay] = []

    def accept(self, task_id: str) -> None:
        """A task comes in; its first job is published."""
        self.take(SCRIBE.accepted(task_id, "EMAIL", {}, Policy(), Origin("http")))
        self._dispatch(task_id, 1)

    def take(self, fact: AnyFact) -> None:
        """Kafka takes a fact."""
        facts = self._facts[fact.task_id]
        facts.append(Recorded(fact, len(facts), self._now_ms()))
        folded = fold(self.tasks.get(fact.task_id), facts[-1:])
        assert folded is not None
        self.tasks[fact.task_id] = folded

    def send(self, fact: AnyFact, sender: str, landed: Landed) -> None:
        """A producer sends a fact; when it lands is decided later."""
        self.on_their_way.append(OnItsWay(fact, sender, landed))

    def land(self, place: int) -> None:
        """One of the facts on their way lands; the latest at -1."""
        sent = self.on_their_way.pop(place % len(self.on_their_way))
        self.take(sent.fact)
        sent.landed()

    def lose(self, place: int, living: Collection[str]) -> None:
        """A fact whose producer is dead never lands."""
        lost = [sent for sent in self.on_their_way if sent.sender not in living]
        if lost:
            self.on_their_way.remove(lost[place % len(lost)])

    def next_attempt(self, task_id: str) -> None:
        """Dispatch decides on another attempt: the last one failed, hangs, or was lost with its queue."""
        task = self.tasks[task_id]
        attempt = self.dispatched[task_id] + 1
        if task.progress.terminal or task.state in WAITING or task.progress.attempt != attempt - 1:
            return
        decision = ScheduleRetry(attempt, self._now_ms(), "the model wants it", task.progress.failures)
        self.take(SCRIBE.retry_scheduled(task_id, decision, Policy()))
        self._dispatch(task_id, attempt)

    def give_up(self, task_id: str) -> None:
        """Dispatch decides that there will be no further attempt."""
        task = self.tasks[task_id]
        if task.state in (State.FAILED, State.RUNNING):
            self.take(SCRIBE.failed_permanently(task_id, GiveUp(task.progress.attempt, "the model wants it")))

    def requeue(self, task_id: str) -> None:
        """Somebody wants it to be tried again; a job follows if it had failed for good."""
        request = f"request {len(self._facts[task_id])}"
        self.take(SCRIBE.requeued(task_id, "ann", "mended", request))
        if self.tasks[task_id].progress.attempt > self.dispatched[task_id]:
            self._dispatch(task_id, self.tasks[task_id].progress.attempt)

    def first_attempt(self, task_id: str, attempt: int) -> int:
        """What the job of an attempt says of where its round began."""
        return self._firsts.get((task_id, attempt), 1)

    def has_start(self, task_id: str, attempt: int) -> bool:
        """Whether a start of the attempt is recorded."""
        return any(isinstance(fact, TaskExecutionStarted) and fact.attempt == attempt for fact in self._of(task_id))

    def outcome_at(self, task_id: str, attempt: int, token: Token) -> int | None:
        """When the outcome of this very claim was recorded first."""
        for recorded in self._facts[task_id]:
            fact = recorded.fact
            ended = isinstance(fact, TaskExecutionCompleted | TaskExecutionFailed)
            if ended and (fact.attempt, fact.token) == (attempt, token):
                return recorded.at
        return None

    def requeued_at(self, task_id: str) -> int:
        """When it was requeued last, with or without an effect."""
        return max(recorded.at for recorded in self._facts[task_id] if isinstance(recorded.fact, TaskRequeued))

    def starter(self, task_id: str, attempt: int, token: Token) -> str:
        """Who recorded the start of this very claim; "" if nobody did.

        After a flush a token whose claim had not been recorded may be given again. Of two that recorded a start under
        it then, the later one is taken for its holder: nothing tells them apart.
        """
        for fact in reversed(self._of(task_id)):
            if isinstance(fact, TaskExecutionStarted) and (fact.attempt, fact.token) == (attempt, token):
                return fact.worker
        return ""

    def _of(self, task_id: str) -> list[AnyFact]:
        return [recorded.fact for recorded in self._facts[task_id]]

    def _dispatch(self, task_id: str, attempt: int) -> None:
        self.dispatched[task_id] = attempt
        self._firsts[task_id, attempt] = self.tasks[task_id].progress.first_attempt
        self.take(SCRIBE.dispatched(task_id, attempt, "task-execution"))
