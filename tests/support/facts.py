"""Hypothesis strategies for facts: few tasks, attempts, workers and tokens, so that facts collide and contradict."""

from collections.abc import Sequence
from typing import TypeAlias

from hypothesis import strategies as st

from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import AnyFact, FieldError, Origin, Recorded, Token
from streamapp.domain.outcome import Completed, Failed
from streamapp.domain.policy import Policy
from streamapp.wire.scribe import Scribe

Claim: TypeAlias = tuple[int, str, Token]
"""Attempt, worker, token."""

TASK = "task-1"
NOW = "2026-01-01T00:00:00.000Z"
SCRIBE = Scribe("test", "any", lambda: NOW)

attempts = st.integers(1, 4)
workers = st.sampled_from(["w1", "w2"])
tokens = st.builds(Token, st.integers(1, 2), st.integers(1, 3))
policies = st.sampled_from([Policy(), Policy(max_attempts=1), Policy(max_attempts=5, jitter=0.5)])
origins = st.sampled_from([Origin("http"), Origin("event", "consume-event", 3, 42)])
payloads = st.sampled_from([{}, {"a": 1}, {"b": [1, {"c": None}]}])
errors = st.sampled_from([[], [FieldError("/payload/email", "Field required")]])
outcomes = st.one_of(
    st.builds(Completed, payloads),
    st.builds(Failed, st.sampled_from(["Boom", "Timeout"]), st.just("no luck"), st.booleans(), st.booleans()),
)
times = st.integers(1_700_000_000_000, 1_700_000_900_000)


claims = st.tuples(attempts, workers, tokens)
KINDS = ["accepted", "rejected", "dispatched", "started", "ended", "retry", "over", "requeued", "requeued"]


@st.composite
def facts_of(draw: st.DrawFn, task_id: str = TASK, claim: st.SearchStrategy[Claim] = claims) -> AnyFact:
    """Any fact of one task, with the deterministic id that its writer gives it."""
    kind = draw(st.sampled_from(KINDS))
    attempt, worker, token = draw(claim)
    match kind:
        case "accepted":
            name = draw(st.sampled_from(["A", "B"]))
            return SCRIBE.accepted(task_id, name, draw(payloads), draw(policies), draw(origins))
        case "rejected":
            return SCRIBE.rejected(task_id, "invalid", draw(errors), draw(origins), draw(st.sampled_from([b"1", b"2"])))
        case "dispatched":
            return SCRIBE.dispatched(task_id, attempt, draw(st.sampled_from(["q1", "q2"])))
        case "started":
            return SCRIBE.started(task_id, attempt, worker, token, draw(st.booleans()))
        case "ended":
            return SCRIBE.ended(task_id, attempt, worker, token, draw(outcomes), draw(st.integers(0, 5000)))
        case "retry":
            decision = ScheduleRetry(attempt, draw(times), "Boom", draw(st.integers(0, 4)))
            return SCRIBE.retry_scheduled(task_id, decision, draw(policies))
        case "requeued":
            return SCRIBE.requeued(task_id, "ann", "mended", draw(st.sampled_from(["r1", "r2", "r3", "r4"])))
        case _:
            return SCRIBE.failed_permanently(task_id, GiveUp(attempt, "Boom"))


@st.composite
def records(draw: st.DrawFn, task_ids: Sequence[str] = (TASK,), max_size: int = 25) -> list[Recorded]:
    """A partition: facts in any order, some of them twice or more, offsets rising with gaps, time rising.

    An example draws its facts from few claims and repeats them often, because the faults are where facts meet again.
    """
    few = st.sampled_from(draw(st.lists(claims, min_size=1, max_size=3)))
    kinds = st.one_of([facts_of(task_id, few) for task_id in task_ids])
    told: list[AnyFact] = _given_up(task_ids[0], draw(attempts)) if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, max_size))):
        told.append(draw(st.sampled_from(told)) if told and draw(st.integers(0, 3)) == 0 else draw(kinds))
    recorded, offset, at = [], -1, 1_700_000_000_000
    for fact in told:
        gap = draw(st.integers(1, 3))
        offset, at = offset + gap, at + gap * 700
        recorded.append(Recorded(fact, offset, at))
    return recorded


def _given_up(task_id: str, attempt: int) -> list[AnyFact]:
    """What it takes for a requeue to have an effect: a task that was accepted and given up."""
    accepted = SCRIBE.accepted(task_id, "A", {"a": 1}, Policy(), Origin("http"))
    return [accepted, SCRIBE.failed_permanently(task_id, GiveUp(attempt, "Boom"))]


def partitions(max_size: int = 40) -> st.SearchStrategy[list[Recorded]]:
    """A partition that three tasks share."""
    return records(("task-1", "task-2", "task-3"), max_size)
