"""The attempts of one task as a table: what happened when, and how long nothing did in between.

In: the answer of `GET /v1/tasks/{taskId}`. Out: a row for each step, with the gap since the step before.
"""

from typing import Any, NamedTuple

from rich.console import RenderableType

from streamapp.cli.amounts import between, span
from streamapp.cli.tables import row, table
from streamapp.cli.views import View


class Step(NamedTuple):
    """Something that happened to a task. `at` is RFC 3339."""

    attempt: int | None
    at: str
    what: str
    worker: str | None = None
    why: str = ""


def attempts(view: View) -> RenderableType:
    """Acceptance, every attempt and the end, each step with the time since the one before."""
    made = table("attempt", "at", "after", "what", "worker", "why", folded=("worker", "why"))
    before: str | None = None
    for step in steps(view):
        row(made, step.attempt, step.at, between(before, step.at), step.what, step.worker, step.why)
        before = step.at
    return made


def steps(view: View) -> list[Step]:
    """What happened, attempt by attempt, each in the order of the broker's times."""
    found = []
    if view["acceptedAt"] is not None:
        found.append(Step(None, view["acceptedAt"], "accepted"))
    for attempt in view["attempts"]:
        found += sorted(_of_attempt(attempt, view), key=lambda step: step.at)
    for fact in view["facts"]:
        if fact["fact"] == "TaskRejected":
            found.append(Step(None, fact["at"], "rejected", None, _text(fact["detail"].get("reason"))))
    return found


def _of_attempt(attempt: dict[str, Any], view: View) -> list[Step]:
    number = attempt["attempt"]
    found = []
    if attempt["scheduledAt"] is not None:
        by = attempt.get("requeuedBy")
        what = "retry scheduled" if by is None else f"requeued by {by}"
        found.append(Step(number, attempt["scheduledAt"], what, None, _text(attempt.get("reason"))))
    if attempt["dispatchedAt"] is not None:
        found.append(Step(number, attempt["dispatchedAt"], "dispatched"))
    for turn, start in enumerate(attempt["starts"], 1):
        again = f" again, start {turn}" if turn > 1 else ""
        found.append(Step(number, start["at"], f"started{again}", start["worker"]))
    found += [_outcome(number, outcome) for outcome in attempt.get("outcomes", ())]
    for fact in view["facts"]:
        if fact["fact"] == "TaskFailedPermanently" and fact["attempt"] == number:
            found.append(Step(number, fact["at"], "failed for good", None, _text(fact["detail"].get("reason"))))
    return found


def _outcome(number: int, outcome: dict[str, Any]) -> Step:
    took = outcome.get("durationMs")
    ran = "" if took is None else f" after {span(took)}"
    if outcome["fact"] == "TaskExecutionCompleted":
        return Step(number, outcome["at"], f"completed{ran}", outcome["worker"])
    final = "" if outcome.get("retryable", True) else " (cannot be mended by trying again)"
    why = f"{outcome.get('errorType')}: {outcome.get('message')}{final}"
    return Step(number, outcome["at"], f"failed{ran}", outcome["worker"], why)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
