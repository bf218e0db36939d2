"""Lives that a stranger writes into the diary: nobody asks who writes there, so each is a task made for the purpose.

In: a number that keeps ids apart. Out: facts in an order, and what must hold of the task whatever else happens to it:
the first terminal fact that counts is the end, and what contradicts is kept as an anomaly.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

from streamapp.domain.dispatch import GiveUp, ScheduleRetry
from streamapp.domain.facts import AnyFact, FieldError, Json, Origin, Token
from streamapp.domain.outcome import Completed, Failed
from streamapp.domain.policy import Policy
from streamapp.wire.scribe import Scribe
from tests.faults.load.types import OK
from tests.faults.poison.bad_records import Record
from tests.faults.poison.strangers import Place

SCRIBE = Scribe("stranger", "forger", lambda: "9999-12-31T23:59:59.999Z")
ORIGIN = Origin("event", "nowhere", 7, 2**53)
POLICY = Policy(max_attempts=3, delay_seconds=0.2, timeout_seconds=2)
LAST_ATTEMPT = 1_000_000
IN_THE_YEAR_2096 = 4_000_000_000_000
LARGE = 900_000
FLOOD = 300


def dressed(chance: Random, record: Record) -> Record:
    """The same fact, written otherwise: with fields that nobody knows, with space, with everything escaped."""
    key, value = record
    document = json.loads(value or b"")
    if chance.random() < 0.5:
        document = {"unheard-of": {"a": [1e-300, None]}, **document, "data_base64": "eA=="}
        document["data"] = {"more": "x" * 1_000, **document["data"], "": {}}
    return key, json.dumps(document, indent=chance.choice([None, 1]), ensure_ascii=True).encode()


@dataclass(slots=True)
class Life:
    """A forged life.

    Attributes:
        facts: in the order in which they are appended, in one batch.
        end: index of the fact that must be the end; None where the task must come to an end by itself.
        odd: indices of the facts that must be anomalies.
        awaits: it waits for what never comes, and has to be ended by a stranger, too.
        places: where its facts lie, once they are appended.
    """

    name: str
    task_id: str
    facts: list[AnyFact]
    end: int | None = None
    odd: frozenset[int] = frozenset()
    awaits: bool = False
    places: list[Place] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether somebody accepted it, so that it may be run."""
        return any(fact.NAME == "TaskAccepted" for fact in self.facts)


class Forger:
    """Forges facts of one task. `queue` is the one it says the task was dispatched to."""

    def __init__(self, task_id: str, queue: str = "") -> None:
        self.task_id = task_id
        self.queue = queue

    def accepted(self, note: str = "first", policy: Policy = POLICY) -> AnyFact:
        return SCRIBE.accepted(self.task_id, OK.name, {"note": note}, policy, ORIGIN)

    def rejected(self) -> AnyFact:
        return SCRIBE.rejected(self.task_id, "invalid", [FieldError("/payload", "no")], ORIGIN, b"")

    def dispatched(self, attempt: int = 1) -> AnyFact:
        return SCRIBE.dispatched(self.task_id, attempt, self.queue)

    def started(self, claim: int = 1, attempt: int = 1) -> AnyFact:
        return SCRIBE.started(self.task_id, attempt, "forger", Token(900, claim), redelivered=False)

    def completed(self, claim: int = 1, attempt: int = 1, result: Json = "forged", worker: str = "forger") -> AnyFact:
        return SCRIBE.ended(self.task_id, attempt, worker, Token(900, claim), Completed(result), 2**53)

    def completed_with(self, token: Token) -> AnyFact:
        return SCRIBE.ended(self.task_id, 1, "forger", token, Completed("forged"), 5)

    def failed(self, claim: int = 1, attempt: int = 1) -> AnyFact:
        failed = Failed("Forged", "no luck", retryable=True)
        return SCRIBE.ended(self.task_id, attempt, "forger", Token(900, claim), failed, 0)

    def retry(self, attempt: int, not_before: int = 0) -> AnyFact:
        return SCRIBE.retry_scheduled(self.task_id, ScheduleRetry(attempt, not_before, "Forged", 2**53), POLICY)

    def given_up(self, attempt: int = 1) -> AnyFact:
        return SCRIBE.failed_permanently(self.task_id, GiveUp(attempt, "Forged"))


def _unknown(forger: Forger, chance: Random) -> Life:
    """Facts of a task that nobody accepted. Nothing may be done for it."""
    facts = [forger.dispatched(), forger.started(), forger.failed(), forger.retry(2), forger.started(1, 2)]
    return Life("of an unknown task", forger.task_id, facts[: chance.randint(1, 5)], odd=frozenset({0}))


def _unknown_and_over(forger: Forger, _chance: Random) -> Life:
    facts = [forger.started(), forger.completed(), forger.given_up()]
    return Life("of an unknown task, to its end", forger.task_id, facts, 1, frozenset({0, 1, 2}))


def _conflicting(forger: Forger, _chance: Random) -> Life:
    facts = [forger.accepted(), forger.dispatched(), forger.started(), forger.completed()]
    after = [forger.failed(), forger.given_up(), forger.completed(2, 1, "another", "another"), forger.retry(2)]
    return Life("conflicting outcomes", forger.task_id, facts + after, 3, frozenset({4, 5, 6, 7}))


def _given_up_first(forger: Forger, _chance: Random) -> Life:
    facts = [forger.accepted(), forger.given_up(), forger.started(), forger.completed()]
    return Life("given up, then completed", forger.task_id, facts, 1, frozenset({2, 3}))


def _without_a_start(forger: Forger, _chance: Random) -> Life:
    facts = [forger.accepted(), forger.completed(7)]
    return Life("completed without a start", forger.task_id, facts, 1, frozenset({1}))


def _token_below(forger: Forger, _chance: Random) -> Life:
    facts = [forger.accepted(), forger.started(2), forger.completed(1), forger.completed(2, 1, "true")]
    return Life("completed below its token", forger.task_id, facts, 3, frozenset({2}))


def _backwards(forger: Forger, _chance: Random) -> Life:
    facts = [forger.completed(), forger.started(), forger.dispatched(), forger.accepted()]
    return Life("backwards", forger.task_id, facts, 0, frozenset(range(4)))


def _shuffled(forger: Forger, chance: Random) -> Life:
    facts = [forger.accepted(), forger.dispatched(), forger.started(), forger.completed()]
    chance.shuffle(facts)
    end = next(index for index, fact in enumerate(facts) if fact.NAME == "TaskExecutionCompleted")
    return Life("out of order", forger.task_id, facts, end)


def _far_ahead(forger: Forger, chance: Random) -> Life:
    """An attempt far ahead, dispatched or run by nobody. It goes on from there, to its end."""
    attempt = chance.choice([900, LAST_ATTEMPT - 1, LAST_ATTEMPT])
    ahead = chance.choice(
        [
            [forger.dispatched(attempt)],
            [forger.started(1, attempt)],
            [forger.started(1, attempt), forger.failed(1, attempt)],
            [forger.retry(attempt)],
        ]
    )
    return Life("an attempt far ahead", forger.task_id, [forger.accepted(), *ahead], odd=frozenset({1}))


def _counted_out(forger: Forger, _chance: Random) -> Life:
    """More failures than a fact can count."""
    facts = [forger.accepted(), forger.retry(5), forger.started(1, 5), forger.failed(1, 5), forger.dispatched(6)]
    return Life("more failures than can be counted", forger.task_id, facts, odd=frozenset({1, 4}))


def _in_2096(forger: Forger, _chance: Random) -> Life:
    facts = [forger.accepted(), forger.started(), forger.failed(), forger.retry(2, IN_THE_YEAR_2096)]
    return Life("a retry in the year 2096", forger.task_id, facts, awaits=True)


def _nowhere(forger: Forger, _chance: Random) -> Life:
    """To a queue that nobody has: it never moves on, so nobody can say that the job is lost."""
    facts = [forger.accepted(), SCRIBE.dispatched(forger.task_id, 1, "nowhere")]
    return Life("dispatched to a queue that nobody has", forger.task_id, facts, awaits=True)


def _accepted_twice(forger: Forger, _chance: Random) -> Life:
    facts = [forger.accepted("first"), forger.accepted("second"), forger.rejected()]
    return Life("accepted twice, and rejected", forger.task_id, facts, odd=frozenset({1, 2}))


def _large_result(forger: Forger, _chance: Random) -> Life:
    large = forger.completed(1, 1, "x" * LARGE)
    return Life("900 kB of result", forger.task_id, [forger.accepted(), large], 1, frozenset({1}))


def _large_payload(forger: Forger, _chance: Random) -> Life:
    return Life("900 kB of payload", forger.task_id, [forger.accepted("x" * LARGE)])


def _flood(forger: Forger, _chance: Random) -> Life:
    """More facts than a history keeps."""
    flood = [forger.completed(claim) for claim in range(1, FLOOD)]
    return Life("a flood of facts", forger.task_id, [forger.accepted(), forger.given_up(), *flood], 1, frozenset({2}))


def _odd_fields(forger: Forger, _chance: Random) -> Life:
    """Told by somebody with another source, at another time, with a trace that is none."""
    odd = replace(forger.accepted(), source="/\x00\u2028", time="yesterday", traceparent="x\r\nInjected: 1")
    return Life("odd fields", forger.task_id, [odd])


FAMILIES: tuple[Callable[[Forger, Random], Life], ...] = (
    _unknown,
    _unknown_and_over,
    _conflicting,
    _given_up_first,
    _without_a_start,
    _token_below,
    _backwards,
    _shuffled,
    _far_ahead,
    _counted_out,
    _in_2096,
    _nowhere,
    _accepted_twice,
    _odd_fields,
)
FEW: tuple[Callable[[Forger, Random], Life], ...] = (_large_result, _large_payload, _flood)


def forged_lives(chance: Random, prefix: str, queue: str, each: int, few: int) -> list[Life]:
    """`each` life of every family, `few` of the large ones, mixed. `queue` is one that moves on."""
    made = [family for family in FAMILIES for _ in range(each)] + [family for family in FEW for _ in range(few)]
    chance.shuffle(made)
    return [family(Forger(f"{prefix}-{number}", queue), chance) for number, family in enumerate(made)]
