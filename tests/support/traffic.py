"""Random facts, reasonable ones and odd ones, from a seed: the same seed tells the same stories."""

import random
from collections.abc import Iterator

from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import AnyFact, FieldError, Json, Origin, Token
from streamapp.domain.outcome import Completed, Failed
from streamapp.domain.policy import Policy
from streamapp.wire.scribe import Scribe

PATIENT = Policy(max_attempts=3, delay_seconds=3600.0, timeout_seconds=86_400.0)
"""Nothing of such a task falls due while a test runs."""

PAYLOADS: list[Json] = [
    {},
    {"n": -0.0, "big": 2**64 - 1, "tiny": 5e-324, "text": "\u2028 é e\u0301 \x00 💥"},
    {"nested": [[{"a": None}], True, 1e300], "": "empty name"},
]


class Traffic:
    """Facts of many tasks. `prefix` keeps the ids of two tests apart."""

    def __init__(self, seed: int, prefix: str, policy: Policy = PATIENT) -> None:
        self._random = random.Random(seed)
        self._prefix = prefix
        self._policy = policy
        self._scribe = Scribe("test", "traffic", lambda: "2026-01-01T00:00:00.000Z")
        self._number = 0

    def accepted(self, task_id: str | None = None, type: str = "EMAIL", payload: Json = None) -> AnyFact:
        """A task taken on."""
        if task_id is None:
            self._number += 1
            task_id = f"{self._prefix}-{self._number}"
        return self._scribe.accepted(task_id, type, payload or {}, self._policy, Origin("http"))

    def burst(self, tasks: int) -> list[AnyFact]:
        """The lives of `tasks` new tasks, mixed with one another; those of one task stay in order, odd as they are."""
        lives = [list(self._life()) for _ in range(tasks)]
        mixed = []
        while lives:
            life = self._random.choice(lives)
            mixed.append(life.pop(0))
            if not life:
                lives.remove(life)
        return mixed

    def finished(self, tasks: int) -> list[AnyFact]:
        """The lives of `tasks` new tasks that ended well: nothing is to be done about them."""
        told: list[AnyFact] = []
        for _ in range(tasks):
            fact = self.accepted()
            told += [fact, self._scribe.dispatched(fact.task_id, 1, "task-execution")]
            told.append(self._scribe.started(fact.task_id, 1, "w1", Token(1, 1), redelivered=False))
            told.append(self._scribe.ended(fact.task_id, 1, "w1", Token(1, 1), Completed({"n": 1}), 40))
        return told

    def _life(self) -> Iterator[AnyFact]:
        self._number += 1
        task_id = f"{self._prefix}-{self._number}"
        told: list[AnyFact] = []
        if self._random.random() < 0.85:
            told.append(self.accepted(task_id, payload=self._random.choice(PAYLOADS)))
        for _ in range(self._random.randrange(8)):
            again = told and self._random.random() < 0.15
            told.append(self._random.choice(told) if again else self._any(task_id))
        yield from told or [self.accepted(task_id)]

    def _any(self, task_id: str) -> AnyFact:
        scribe, choose = self._scribe, self._random.choice
        attempt, worker = choose([1, 1, 1, 2, 2, 3, 7]), choose(["w1", "w2"])
        token = Token(1, choose([1, 1, 2, 3]))
        match self._random.randrange(10):
            case 0:
                return scribe.accepted(task_id, "OTHER", choose(PAYLOADS), self._policy, Origin("event", "t", 0, 7))
            case 1:
                errors = [FieldError("/payload", "no")]
                return scribe.rejected(task_id, "invalid", errors, Origin("http"), choose([b"a", b"b"]))
            case 2:
                return scribe.dispatched(task_id, attempt, "task-execution")
            case 3 | 4:
                return scribe.started(task_id, attempt, worker, token, redelivered=token.claim > 1)
            case 5:
                result = choose(PAYLOADS)
                return scribe.ended(task_id, attempt, worker, token, Completed(result), self._random.randrange(9000))
            case 6:
                failed = Failed(choose(["Boom", "Bang"]), "no luck", retryable=choose([True, True, False]))
                return scribe.ended(task_id, attempt, worker, token, failed, 40)
            case 7:
                decision = ScheduleRetry(attempt + 1, 4_000_000_000_000, "Boom", 1)
                return scribe.retry_scheduled(task_id, decision, self._policy)
            case 8:
                return scribe.requeued(task_id, "ann", "mended", choose(["r1", "r2"]))
            case _:
                return scribe.failed_permanently(task_id, GiveUp(attempt, "Boom"))
