"""Broken dispatchers: each breaks one rule of the design, and the model must catch every one of them.

Here: those that act wrongly or decide wrongly. Of the fault study bare horizon, raise on publish failure ("gives up on
failure"), fact before publish, no return check and stale attempt accepted; the others are what its rules suggest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import agents.dispatch.agent as agent_module
import agents.dispatch.pump as pump_module
from agents.dispatch import Dispatch, Pump
from streamapp.domain.dispatch import Decision, ScheduleRetry
from streamapp.domain.dispatch import decide as decide_rightly
from streamapp.domain.errors import StreamappError
from streamapp.domain.facts import AnyFact, Recorded, TaskDispatched
from streamapp.domain.outbox import Memory, Open
from streamapp.domain.outbox import remember as remember_rightly
from streamapp.domain.progress import State
from streamapp.queue import Unroutable
from streamapp.stream.horizon import Gates
from streamapp.stream.table import APPLIED_KEY
from tests.model.disk import SimulatedTable
from tests.model.dispatcher import Parts


@dataclass(frozen=True)
class Mutant:
    """A broken dispatcher: other parts, or another function in place of one of the product's."""

    name: str
    parts: Parts = field(default_factory=Parts)
    module: Any = None
    function: str = ""
    instead: Any = None

    @contextmanager
    def loose(self) -> Iterator[None]:
        """While the mutant is about."""
        if self.module is None:
            yield
        else:
            with patch.object(self.module, self.function, self.instead):
                yield


class BareHorizon(Pump):
    """Publishes what becomes due at or above the horizon only; what the diary says was never dispatched is nobody's."""

    async def _index(self, partition: int) -> int:
        return 0


class GivesUpOnFailure(Pump):
    """A publish that failed is done with, as Faust is with an event whose agent raised."""

    def _back_off(self, action: Any, first_ms: int, most_ms: int) -> None:
        self._failures[action.key] = 1


class FactFirst(Pump):
    """TaskDispatched, then the job."""

    async def _published(self, action: Any, queue: str, job: Any) -> bool:
        entry = action.entry
        await self._facts.append_durably([self._scribe.dispatched(entry.task_id, job.attempt, queue, None)])
        return await super()._published(action, queue, job)


class NoReturnCheck(Pump):
    """A job that the broker returns counts as queued."""

    async def _published(self, action: Any, queue: str, job: Any) -> bool:
        try:
            await self._publisher.publish(queue, job)
        except Unroutable:
            return True
        except StreamappError:
            self._back_off(action, 500, 30_000)
            return False
        return True


class UnknownIsDone(Pump):
    """A publish without an answer counts as queued."""

    async def _published(self, action: Any, queue: str, job: Any) -> bool:
        return await super()._published(action, queue, job) or True


class ForgetsWhatItDid(Pump):
    """Does not remember its own publishes until the fold has seen them."""

    async def _carry_out(self, actions: Any) -> None:
        await super()._carry_out(actions)
        for action in actions:
            self._done.pop(action.key, None)
            self._refile([action])


class ForgetsWhatItDoes(Pump):
    """Does not remember what is under way."""

    async def _start_window(self, actions: Any) -> None:
        await super()._start_window(actions)
        self._acting.clear()


class SettlesNothing(Pump):
    """Goes on with its windows after its partitions were taken away."""

    async def settle(self) -> None:
        self._open = {}
        self._acting.clear()
        self._done.clear()
        self._failures.clear()


class NeverMovedOn(Pump):
    """Does not look whether a queue moved on without a job."""

    def moved_on(self, started: Any) -> None:
        return


def accepts_stale_attempts(memory: Memory | None, recorded: Recorded) -> Memory:
    """TaskDispatched of an attempt that is over is taken for the present one's."""
    fact = recorded.fact
    if isinstance(memory, Open) and isinstance(fact, TaskDispatched) and fact.attempt < memory.progress.attempt:
        recorded = replace(recorded, fact=replace(fact, attempt=memory.progress.attempt))
    return remember_rightly(memory, recorded)


def folds_twice(memory: Memory | None, recorded: Recorded) -> Memory:
    """Facts below the entry's offset are folded again."""
    if isinstance(memory, Open) and memory.offset > recorded.offset:
        memory.offset = recorded.offset - 1
    return remember_rightly(memory, recorded)


def too_early(entry: Open, now_ms: int, started: int, limits: Any) -> Decision:
    """Retries do not wait."""
    return decide_rightly(replace(entry, not_before=0), now_ms, started, limits)


def too_often(entry: Open, now_ms: int, started: int, limits: Any) -> Decision:
    """One attempt more than the policy allows."""
    if entry.policy is None:
        return decide_rightly(entry, now_ms, started, limits)
    generous = replace(entry.policy, max_attempts=entry.policy.max_attempts + 1)
    return decide_rightly(replace(entry, policy=generous), now_ms, started, limits)


def impatient(entry: Open, now_ms: int, started: int, limits: Any) -> Decision:
    """What was dispatched long ago is lost, whether or not the queue has moved."""
    if entry.progress.state is State.DISPATCHED and now_ms > entry.dispatched_at + limits.lost_after_ms:
        attempt = entry.progress.attempt + 1
        return ScheduleRetry(attempt, entry.dispatched_at, "it takes so long", entry.progress.failures)
    return decide_rightly(entry, now_ms, started, limits)


def never_stuck(entry: Open, now_ms: int, started: int, limits: Any) -> Decision:
    """Waits for ever for the outcome of what has started."""
    return decide_rightly(entry, now_ms if entry.progress.state is not State.RUNNING else 0, started, limits)


MUTANTS = [
    Mutant("bare horizon", Parts(pump=BareHorizon)),
    Mutant("gives up on failure", Parts(pump=GivesUpOnFailure)),
    Mutant("fact before publish", Parts(pump=FactFirst)),
    Mutant("no return check", Parts(pump=NoReturnCheck)),
    Mutant("unknown is done", Parts(pump=UnknownIsDone)),
    Mutant("forgets what it did", Parts(pump=ForgetsWhatItDid)),
    Mutant("forgets what it does", Parts(pump=ForgetsWhatItDoes)),
    Mutant("settles nothing", Parts(pump=SettlesNothing)),
    Mutant("no gate", Parts(gates=NoGate)),
    Mutant("old horizon", Parts(gates=OldHorizon)),
    Mutant("trusts the pending table", Parts(dispatch=TrustsThePending)),
    Mutant("marker first", Parts(table=MarkerFirst)),
    Mutant("no changelog", Parts(table=NoChangelog)),
    Mutant("pending before dedup", Parts(dispatch=PendingFirst)),
    Mutant("never moved on", Parts(pump=NeverMovedOn)),
    Mutant("accepts stale attempts", module=agent_module, function="remember", instead=accepts_stale_attempts),
    Mutant("folds twice", module=agent_module, function="remember", instead=folds_twice),
    Mutant("too early", module=pump_module, function="decide", instead=too_early),
    Mutant("too often", module=pump_module, function="decide", instead=too_often),
    Mutant("impatient", module=pump_module, function="decide", instead=impatient),
    Mutant("never stuck", module=pump_module, function="decide", instead=never_stuck),
]


__all__ = ["APPLIED_KEY", "MUTANTS", "AnyFact", "Mutant"]
