"""Hypothesis strategies for everything that facts may carry: nasty texts, nested payloads, numbers at their bounds."""

from typing import Any

from hypothesis import strategies as st

from streamapp.domain import facts as domain
from streamapp.domain.facts import AnyFact, FieldError, Json, Origin, Token
from streamapp.domain.policy import Policy
from streamapp.wire.schema import MAX_ID_BYTES

characters = st.characters(exclude_categories=["Cs"])
nasty = st.sampled_from(["\x00", "\u2028", "\ufeff", "é", "e\u0301", "\U0001f4a5", "\\u0000", '"', "\x7f\x1b[31m", "ﷺ"])
texts = st.one_of(st.text(characters, max_size=12), nasty)

lines = texts.map(lambda text: "".join(c for c in text if not (c < " " or "\x7f" <= c <= "\x9f")) or "x")
"""What people say of themselves: never empty, and without control characters."""


def _fits(text: str) -> bool:
    return 0 < len(text.encode()) <= MAX_ID_BYTES


ids = st.one_of(texts, st.just("x" * MAX_ID_BYTES), st.just("é" * (MAX_ID_BYTES // 2))).filter(_fits)
integers = st.integers() | st.sampled_from([2**63, 2**64, -(2**63) - 1, 2**200])
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.none(), st.booleans(), integers, floats, texts)


def _nest(children: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3)


json_values: st.SearchStrategy[Json] = st.recursive(scalars, _nest, max_leaves=10)
attempts = st.integers(1, 1_000_000)
naturals = st.integers(0, 2**53)
tokens = st.builds(Token, naturals, naturals)
policies = st.builds(
    Policy,
    max_attempts=attempts,
    delay_seconds=st.floats(0, 1e9),
    multiplier=st.floats(1, 1e9),
    max_delay_seconds=st.floats(0, 1e9),
    timeout_seconds=st.floats(0.001, 1e9),
    jitter=st.floats(0, 1),
)
origins = st.just(Origin("http")) | st.builds(Origin, st.just("event"), texts, naturals, naturals)
errors = st.lists(st.builds(FieldError, texts, texts), max_size=3).map(tuple)


def _fact(kind: type[AnyFact], **own: st.SearchStrategy[Any]) -> st.SearchStrategy[AnyFact]:
    head = {
        "task_id": ids,
        "id": st.text("0123456789abcdef", min_size=1, max_size=32),
        "source": texts,
        "time": st.just("2026-01-01T00:00:00.000Z"),
        "traceparent": st.none() | st.just("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    }
    return st.builds(kind, **head, **own)


run = {"attempt": attempts, "worker": texts, "token": tokens}
facts: st.SearchStrategy[AnyFact] = st.one_of(
    _fact(domain.TaskAccepted, type=ids, payload=json_values, policy=policies, origin=origins),
    _fact(domain.TaskRejected, reason=texts, errors=errors, origin=origins),
    _fact(domain.TaskDispatched, attempt=attempts, queue=texts),
    _fact(domain.TaskExecutionStarted, **run, redelivered=st.booleans()),
    _fact(domain.TaskExecutionCompleted, **run, result=json_values, duration_ms=naturals),
    _fact(
        domain.TaskExecutionFailed,
        **run,
        error_type=texts,
        message=texts,
        retryable=st.booleans(),
        counted=st.booleans(),
        duration_ms=naturals,
    ),
    _fact(
        domain.TaskRetryScheduled,
        attempt=attempts,
        not_before=naturals,
        reason=texts,
        failures=naturals,
        policy=policies,
    ),
    _fact(domain.TaskFailedPermanently, attempt=attempts, reason=texts),
    _fact(domain.TaskRequeued, actor=lines, reason=lines),
)
