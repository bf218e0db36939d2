"""The rounds of a task's life: from its acceptance to its end, and from each requeue with an effect to the next end.

In: the facts of one task, each id once, in order. Out: rounds. What ends one is found here a second time, apart from
the domain's state machine, from the sentences of the design that decide it: an outcome counts with the highest token
folded for its attempt; the first counting terminal fact by offset is final, until somebody requeues what has failed
permanently; then attempts go on above all that were told of, and nothing from before counts any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from streamapp.domain.facts import (
    AnyFact,
    Recorded,
    TaskAccepted,
    TaskExecutionCompleted,
    TaskExecutionFailed,
    TaskExecutionStarted,
    TaskFailedPermanently,
    TaskRequeued,
    Token,
)
from streamapp.domain.policy import LAST_ATTEMPT


@dataclass(slots=True)
class Round:
    """Attempts from `first` on. `opened` by a TaskRequeued, None if by the acceptance; `end`: what ended it."""

    first: int
    opened: Recorded | None = None
    end: Recorded | None = None


def rounds_of(facts: Iterable[Recorded]) -> list[Round]:
    """The rounds, at least one; only the last one may be without an end."""
    rounds = [Round(1)]
    tokens: dict[int, Token] = {}
    last, accepted = 0, False
    for told in facts:
        fact, current = told.fact, rounds[-1]
        if current.end is None and _ends(fact, current.first, last, tokens):
            current.end = told
        elif isinstance(fact, TaskRequeued) and accepted and last < LAST_ATTEMPT and _failed_for_good(current):
            last += 1
            rounds.append(Round(last, told))
        accepted = accepted or isinstance(fact, TaskAccepted)
        last = max(last, getattr(fact, "attempt", 0))
    return rounds


def _failed_for_good(current: Round) -> bool:
    return current.end is not None and isinstance(current.end.fact, TaskFailedPermanently)


def _ends(fact: AnyFact, first: int, last: int, tokens: dict[int, Token]) -> bool:
    """Whether a fact ends an open round. `last`: the highest attempt told of before; `tokens` are kept up to date."""
    match fact:
        case TaskExecutionStarted() if fact.attempt >= first:
            tokens[fact.attempt] = max(fact.token, tokens.get(fact.attempt, fact.token))
        case TaskExecutionCompleted() if fact.attempt >= first:
            return fact.token >= tokens.get(fact.attempt, fact.token)
        case TaskExecutionFailed() if fact.attempt >= first and fact.token >= tokens.get(fact.attempt, fact.token):
            tokens[fact.attempt] = fact.token
        case TaskFailedPermanently():
            return fact.attempt >= last
        case _:
            pass
    return False
