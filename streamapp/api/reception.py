"""Submissions become facts: judged against the registry, appended in one window, each with its own result.

Parsed JSON comes in, `Accepted` or `Problem` goes out. Knows nothing of HTTP requests and never reads the diary: that
a key was used before with another payload cannot be known here; both facts are kept in the task's history.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from streamapp import failpoints
from streamapp.api.problems import Problem
from streamapp.domain import identity
from streamapp.domain.errors import Refused
from streamapp.domain.facts import FieldError, Origin, TaskAccepted, TaskRejected
from streamapp.failpoints import Gap
from streamapp.metrics.api import ApiMetrics
from streamapp.producer import FactLog, Position
from streamapp.tasktypes import Registry
from streamapp.wire import json
from streamapp.wire.scribe import Scribe
from streamapp.wire.submissions import Invalid, Submission, read_submission

ORIGIN = Origin("http")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A submission that is not valid. `fact` tells the diary, where the task can be identified."""

    problem: Problem
    fact: TaskRejected | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that the diary holds."""

    task_id: str
    type: str
    position: Position


Verdict: TypeAlias = TaskAccepted | Rejection


class Reception:
    """Judges and appends. `new_task_id` makes the id of a submission that brings none."""

    def __init__(
        self,
        registry: Registry,
        facts: FactLog,
        scribe: Scribe,
        new_task_id: Callable[[], str],
        *,
        allow_unregistered_types: bool,
        append_timeout_seconds: float,
        retry_after_seconds: int,
        metrics: ApiMetrics | None = None,
    ) -> None:
        self._registry = registry
        self._facts = facts
        self._scribe = scribe
        self._new_task_id = new_task_id
        self._allow_unregistered = allow_unregistered_types
        self._timeout = append_timeout_seconds
        self._retry = {"Retry-After": str(retry_after_seconds)}
        self._metrics = metrics or ApiMetrics()

    def judge(self, document: Any, key: str | None, traceparent: str | None = None) -> Verdict:
        """The fact that `document` becomes, under the task id that `key` stands for, if there is one."""
        keyed = identity.task_id_of_key(key) if key is not None else None
        try:
            submission = read_submission(document)
        except Invalid as invalid:
            return self._reject(document, invalid, keyed or invalid.task_id)
        known = keyed or submission.taskId
        task_id = known or self._new_task_id()
        try:
            self._demand_consistent(submission, keyed)
            payload = self._registry.check(task_id, submission.type, submission.payload)
        except Invalid as invalid:
            return self._reject(document, invalid, known)
        policy = self._registry.policy_of(submission.type)
        return self._scribe.accepted(task_id, submission.type, payload, policy, ORIGIN, traceparent)

    async def record(self, verdicts: Sequence[Verdict]) -> list[Accepted | Problem]:
        """Append what the verdicts say, in one window, and tell what became of each."""
        facts = [verdict if isinstance(verdict, TaskAccepted) else verdict.fact for verdict in verdicts]
        appending = [fact for fact in facts if fact is not None]
        failpoints.reached(Gap.BEFORE_APPEND)
        appended = iter(await self._facts.append(appending, timeout_seconds=self._timeout) if appending else ())
        failpoints.reached(Gap.AFTER_APPEND)
        results = [next(appended) if fact is not None else None for fact in facts]
        return [self._tell(verdict, result) for verdict, result in zip(verdicts, results, strict=True)]

    def _tell(self, verdict: Verdict, result: Position | Exception | None) -> Accepted | Problem:
        if isinstance(verdict, Rejection):
            self._metrics.rejected.add()
            return verdict.problem.having(recorded=isinstance(result, Position))
        task_id = verdict.task_id
        match result:
            case Position():
                self._metrics.accepted.add()
                return Accepted(task_id, verdict.type, result)
            case Refused():
                self._metrics.refused.add()
                return Problem("refused", str(result), headers=self._retry, taskId=task_id, outcome="refused")
            case _:
                self._metrics.unknown.add()
                detail = "submit again with this taskId or the same Idempotency-Key: it is the same task"
                return Problem("outcome-unknown", detail, headers=self._retry, taskId=task_id, outcome="unknown")

    def _demand_consistent(self, submission: Submission, keyed: str | None) -> None:
        if keyed is not None and submission.taskId not in (None, keyed):
            message = "is not the id that the Idempotency-Key stands for: send one of the two"
            raise Invalid([FieldError("/taskId", message)])
        if submission.type not in self._registry.types and not self._allow_unregistered:
            names = ", ".join(sorted(self._registry.types)) or "none"
            raise Invalid([FieldError("/type", f"is not registered; registered types: {names}")])

    def _reject(self, document: Any, invalid: Invalid, task_id: str | None) -> Rejection:
        slug = "payload-too-large" if self._too_large(document, invalid) else "invalid-submission"
        reasons = "; ".join(f"{error.pointer or '/'} {error.message}" for error in invalid.errors[:3])
        problem = Problem(slug, reasons, errors=invalid.errors)
        if task_id is None:
            return Rejection(problem, None)
        reason = slug.replace("-", " ")
        fact = self._scribe.rejected(task_id, reason, invalid.errors, ORIGIN, json.canonical(document))
        return Rejection(problem.having(taskId=task_id), fact)

    def _too_large(self, document: Any, invalid: Invalid) -> bool:
        if [error.pointer for error in invalid.errors] != ["/payload"] or not isinstance(document, dict):
            return False
        return len(json.dump(document.get("payload"))) > self._registry.max_payload_bytes
