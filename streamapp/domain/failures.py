"""Failures of one kind, that is of one task type with one error type: how many, since when, and examples."""

from dataclasses import dataclass, field

from streamapp.domain.outcome import cut
from streamapp.domain.task import Task

MAX_FAILURES = 500
"""Kinds that are counted apart for each partition; the rest is one kind of its own."""

MAX_EXAMPLES = 5
MAX_MESSAGE_BYTES = 500
NO_OUTCOME = "NoOutcome"
"""Error type of a task that was given up though its last attempt had told of no failure."""


@dataclass(slots=True)
class Failure:
    """One kind of failure. Times are the broker's.

    `count` is of attempts that failed, `permanent` of tasks whose last failure was of this kind when they were given
    up. `examples` are the latest tasks that it happened to, newest first.
    """

    type: str
    error_type: str
    first_at: int
    last_at: int
    last_message: str = ""
    count: int = 0
    permanent: int = 0
    examples: list[str] = field(default_factory=list)

    def happened(self, task_id: str, at: int, message: str) -> None:
        """Note that it happened to a task."""
        self.last_at = at
        self.last_message = cut(message, MAX_MESSAGE_BYTES)
        examples = self.examples
        if task_id in examples:
            examples.remove(task_id)
        examples.insert(0, task_id)
        del examples[MAX_EXAMPLES:]

    def join(self, other: "Failure") -> None:
        """Add what another partition has counted of the same kind."""
        self.count += other.count
        self.permanent += other.permanent
        self.first_at = min(self.first_at, other.first_at)
        newest, rest = (other, self) if other.last_at > self.last_at else (self, other)
        self.examples = [*newest.examples, *rest.examples][:MAX_EXAMPLES]
        self.last_message, self.last_at = newest.last_message, newest.last_at


def copied(failure: Failure) -> Failure:
    """An independent copy."""
    return Failure(
        failure.type,
        failure.error_type,
        failure.first_at,
        failure.last_at,
        failure.last_message,
        failure.count,
        failure.permanent,
        list(failure.examples),
    )


def last_error(task: Task, attempt: int) -> str:
    """Error type that an attempt of the task has ended with, as its history tells."""
    for entry in reversed(task.history):
        if entry.fact == "TaskExecutionFailed" and entry.attempt == attempt:
            return str(entry.detail["errorType"])
    return NO_OUTCOME
