"""The mutants: each breaks one rule in the processes of one role, by putting something else in a method's place.

In: the name of a mutant and of this process. Out: a broken product. Imported by the processes themselves, as they start
(`startup/sitecustomize.py`); the tests import only `MUTANTS`.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """`members` are the names of the processes that are broken; `apply` breaks the one that calls it."""

    members: tuple[str, ...]
    apply: Callable[[], None]


WORKERS = ("w1", "w2")
DISPATCH = ("dispatch",)
DIARY = ("diary",)


def bare_horizon() -> None:
    """Acts on what becomes due above the horizon, and never on what the diary says was never dispatched."""
    from agents.dispatch.pump import Pump

    async def index(self: Any, partition: int) -> int:
        return 0

    Pump._index = index  # type: ignore[method-assign]


NEVER = 2**62
"""An offset that no fact will have."""


def gives_up_on_failure() -> None:
    """A publish that failed is done with, as an event is whose Faust agent raised."""
    from agents.dispatch.pump import Pump

    def back_off(self: Any, action: Any, first_ms: int, most_ms: int) -> None:
        self._done[action.key] = NEVER

    Pump._back_off = back_off  # type: ignore[method-assign]


def fact_before_publish() -> None:
    """TaskDispatched, then the job."""
    from agents.dispatch.pump import Pump

    rightly = Pump._publish

    async def publish(self: Any, actions: Any) -> Any:
        jobs = [(action.entry, job) for action in actions if (job := action.job()) is not None]
        facts = [
            self._scribe.dispatched(entry.task_id, job.attempt, self._queue_of(job.type), None) for entry, job in jobs
        ]
        await self._facts.append_durably(facts)
        return await rightly(self, actions)

    Pump._publish = publish  # type: ignore[method-assign]


def no_return_check() -> None:
    """A job that the broker returns counts as queued."""
    from streamapp.queue import JobPublisher, Unroutable

    rightly = JobPublisher.publish_all

    async def publish_all(self: Any, window: Any) -> Any:
        return [None if isinstance(answer, Unroutable) else answer for answer in await rightly(self, window)]

    JobPublisher.publish_all = publish_all  # type: ignore[method-assign]


def ack_before_outcome() -> None:
    """Acks once the handler has returned, before anything is recorded."""
    from streamapp.worker.pipeline import Pipeline

    rightly = Pipeline.store

    async def store(self: Any, run: Any) -> Any:
        while run.deliveries:
            await run.deliveries.pop().ack()
        return await rightly(self, run)

    Pipeline.store = store  # type: ignore[method-assign]


def guard_off() -> None:
    """Whoever asks may run."""
    from streamapp.domain.facts import Token
    from streamapp.guard.claims import Claim, Claimed
    from streamapp.guard.guard import Guard

    numbers = itertools.count(1)

    async def claim(self: Any, task_id: str, attempt: int, first_attempt: int = 1) -> Claimed:
        return Claimed(Claim(task_id, attempt, Token(1, next(numbers))), alone=False, deaths=0, takeover=False)

    async def yes(self: Any, *_: Any, **__: Any) -> bool:
        return True

    Guard.claim = claim  # type: ignore[method-assign]
    Guard.confirm = Guard.complete = Guard.ended = Guard.release = yes  # type: ignore[method-assign]


def epoch_ignored() -> None:
    """A guard that has forgotten everything is asked as if nothing were."""
    import hashlib

    from streamapp.guard import guard as door
    from streamapp.guard.scripts import Script

    for name in ("CLAIM", "CONFIRM", "COMPLETE", "ENDED", "RELEASE"):
        script: Script = getattr(door, name)
        source = script.source.replace("redis.call('GET', KEYS[1])", "(redis.call('GET', KEYS[1]) or '1')")
        assert source != script.source, name
        digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        setattr(door, name, Script(script.name, source, digest))


def stale_outcome_accepted() -> None:
    """The fold takes an outcome below the highest token of its attempt for the outcome."""
    from streamapp.domain import progress
    from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed

    rightly = progress._ended

    def ended(state: Any, fact: Any) -> Any:
        known = state.tokens.get(fact.attempt)
        if known is not None and fact.token < known:
            state.tokens[fact.attempt] = fact.token
        return rightly(state, fact)

    for kind in (TaskExecutionCompleted, TaskExecutionFailed):
        assert progress._STEPS[kind] is rightly
        progress._STEPS[kind] = ended


def typed_topic() -> None:
    """What cannot be decoded is an error of whoever reads it."""
    import agents.diary.agent as diary
    from streamapp.domain.facts import Recorded
    from streamapp.wire import facts

    def read(key: Any, value: Any, offset: int, at: int) -> Recorded:
        return Recorded(facts.decode(key, value), offset, at)

    diary.read = read  # type: ignore[attr-defined]


def two_folds_at_once() -> None:
    """Batches of one partition are folded beside one another, as with an agent's concurrency of 2, record by record."""
    from agents.diary import agent
    from streamapp.stream.folding import Folds

    agent.RECORDS_BETWEEN_YIELDS = 1
    rightly = Folds.run
    running: set[Any] = set()

    async def run(self: Any, fold: Any) -> None:
        task = asyncio.ensure_future(rightly(self, fold))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.sleep(0)

    Folds.run = run  # type: ignore[method-assign]


MUTANTS: Mapping[str, Mutant] = {
    "bare horizon": Mutant(DISPATCH, bare_horizon),
    "gives up on failure": Mutant(DISPATCH, gives_up_on_failure),
    "fact before publish": Mutant(DISPATCH, fact_before_publish),
    "no return check": Mutant(DISPATCH, no_return_check),
    "ack before outcome": Mutant(WORKERS, ack_before_outcome),
    "guard off": Mutant(WORKERS, guard_off),
    "epoch ignored": Mutant(WORKERS, epoch_ignored),
    "stale outcome accepted": Mutant(DIARY, stale_outcome_accepted),
    "typed topic": Mutant(DIARY, typed_topic),
    "two folds at once": Mutant(DIARY, two_folds_at_once),
}


def break_product(name: str, process: str) -> None:
    """Break this process, if it is one of those that the mutant breaks."""
    mutant = MUTANTS[name]
    if process in mutant.members:
        mutant.apply()
