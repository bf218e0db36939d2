"""Tells the life of one task: every call appends a fact at the next offset, a second after the last one."""

from msgspec.structs import replace

from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import AnyFact, Json, Origin, Recorded, Token
from streamapp.domain.outbox import Memory, remember
from streamapp.domain.outcome import Completed, Failed
from streamapp.domain.policy import Policy
from streamapp.domain.task import Task, fold
from streamapp.wire.scribe import Scribe

START = 1_700_000_000_000
"""The broker's time of the first fact, in milliseconds."""

HTTP = Origin("http")
NOW = "2026-01-01T00:00:00.000Z"


class Story:
    """Facts of one task, made by the same scribe that the processes use, recorded in the order they are told."""

    def __init__(self, task_id: str = "task-1", policy: Policy | None = None) -> None:
        self.task_id = task_id
        self.policy = policy or Policy()
        self.scribe = Scribe("test", "story", lambda: NOW)
        self.facts: list[Recorded] = []

    @property
    def now(self) -> int:
        """The broker's time of the next fact."""
        return START + 1000 * len(self.facts)

    def tell(self, fact: AnyFact) -> Recorded:
        """Record any fact."""
        recorded = Recorded(fact, len(self.facts), self.now)
        self.facts.append(recorded)
        return recorded

    def accepted(self, payload: Json = None, type: str = "EMAIL", traceparent: str | None = None) -> Recorded:
        return self.tell(self.scribe.accepted(self.task_id, type, payload or {}, self.policy, HTTP, traceparent))

    def rejected(self, body: bytes = b"{}") -> Recorded:
        return self.tell(self.scribe.rejected(self.task_id, "invalid", [], HTTP, body))

    def dispatched(self, attempt: int = 1, queue: str = "task-execution") -> Recorded:
        return self.tell(self.scribe.dispatched(self.task_id, attempt, queue))

    def started(self, attempt: int = 1, claim: int = 1, worker: str = "w1", epoch: int = 1) -> Recorded:
        return self.tell(self.scribe.started(self.task_id, attempt, worker, Token(epoch, claim), claim > 1))

    def completed(self, attempt: int = 1, claim: int = 1, worker: str = "w1", result: Json = None) -> Recorded:
        outcome = Completed(result)
        return self.tell(self.scribe.ended(self.task_id, attempt, worker, Token(1, claim), outcome, 40))

    def failed(
        self, attempt: int = 1, claim: int = 1, worker: str = "w1", retryable: bool = True, counted: bool = True
    ) -> Recorded:
        outcome = Failed("Boom", "no luck", retryable, counted)
        return self.tell(self.scribe.ended(self.task_id, attempt, worker, Token(1, claim), outcome, 40))

    def retry_scheduled(self, attempt: int = 2, failures: int = 1, not_before: int | None = None) -> Recorded:
        due = self.now + 1000 if not_before is None else not_before
        decision = ScheduleRetry(attempt, due, "Boom", failures)
        return self.tell(self.scribe.retry_scheduled(self.task_id, decision, self.policy))

    def failed_permanently(self, attempt: int = 1) -> Recorded:
        return self.tell(self.scribe.failed_permanently(self.task_id, GiveUp(attempt, "Boom")))

    def requeued(self, request: str = "r1", actor: str = "ann", reason: str = "mended") -> Recorded:
        return self.tell(self.scribe.requeued(self.task_id, actor, reason, request))

    def again(self, recorded: Recorded) -> Recorded:
        """The same fact, appended once more."""
        return self.tell(recorded.fact)

    @property
    def task(self) -> Task:
        """The diary's view after everything told."""
        task = fold(None, self.facts)
        assert task is not None
        return task

    @property
    def memory(self) -> Memory:
        """Dispatch's memory after everything told."""
        memory: Memory | None = None
        for recorded in self.facts:
            memory = remember(memory, recorded)
        assert memory is not None
        return memory

    @property
    def anomalies(self) -> list[str]:
        """What was odd, in order."""
        return [anomaly.reason for anomaly in self.task.anomalies]


def later(recorded: Recorded, offset: int, at: int) -> Recorded:
    """The same fact at another place."""
    return replace(recorded, offset=offset, at=at)
