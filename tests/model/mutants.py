"""Broken dispatchers: each breaks one rule of the design, and the model must catch every one of them.

Here: those that act wrongly or decide wrongly. Of the fault study bare horizon, raise on publish failure ("gives up on
failure"), fact before publish, no return check and stale attempt accepted; the others are what its rules suggest.
"""

from typing import Any

from msgspec.structs import replace

import agents.dispatch.agent as agent_module
import agents.dispatch.pump as pump_module
import streamapp.domain.views as views_module
from agents.dispatch import Pump
from agents.dispatch.queues import Queues
from streamapp.domain.dispatch import Decision, ScheduleRetry, Wait
from streamapp.domain.dispatch import decide as decide_rightly
from streamapp.domain.facts import Recorded, TaskDispatched, TaskExecutionStarted
from streamapp.domain.outbox import Memory, Open
from streamapp.domain.outbox import remember as remember_rightly
from streamapp.domain.progress import State
from streamapp.queue import Unroutable
from tests.model.dispatcher import Parts
from tests.model.doors import HeardClock
from tests.model.mutant import Mutant


class BareHorizon(Pump):
    """Publishes what becomes due at or above the horizon only; what the diary says was never dispatched is nobody's."""

    async def _index(self, partition: int) -> int:
        return 0


class GivesUpOnFailure(Pump):
    """A publish that failed is done with, as Faust is with an event whose agent raised."""

    def __init__(self, *parts: Any, **numbers: Any) -> None:
        super().__init__(*parts, **numbers)
        self._given_up: set[bytes] = set()

    def _back_off(self, action: Any, first_ms: int, most_ms: int) -> None:
        self._given_up.add(action.key)

    def _file(self, index: Any, key: bytes, memory: Any) -> None:
        if key not in self._given_up:
            super()._file(index, key, memory)


class FactFirst(Pump):
    """TaskDispatched, then the job."""

    async def _publish(self, actions: Any) -> Any:
        jobs = [(action.entry, job) for action in actions if (job := action.job()) is not None]
        facts = [self._scribe.dispatched(entry.task_id, job.attempt, "", None) for entry, job in jobs]
        await self._facts.append_durably(facts)
        return await super()._publish(actions)


class NoReturnCheck(Pump):
    """A job that the broker returns counts as queued."""

    def _came_true(self, action: Any, job: Any, error: Any) -> bool:
        return isinstance(error, Unroutable) or super()._came_true(action, job, error)


class UnknownIsDone(Pump):
    """A publish without an answer counts as queued."""

    def _came_true(self, action: Any, job: Any, error: Any) -> bool:
        return True


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


class BelievesTheFuture(Queues):
    """Takes the start of a job for what it says, though it was dispatched later than now."""

    def started(self, started: Any, now_ms: int) -> None:
        super().started(started, 1 << 60)

    def forget(self) -> None:
        return


class DeafClock(HeardClock):
    """Goes by the machine's clock, whatever Kafka says."""

    def hear(self, broker_ms: int, since: float) -> int:
        before = self._origin_ms
        super().hear(broker_ms, since)
        self._origin_ms = before
        return 0


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
    if entry.progress.state is State.RUNNING:
        return Wait(now_ms + 3_600_000)
    return decide_rightly(entry, now_ms, started, limits)


def any_start_counts(fact: Any, memory: Open) -> bool:
    """The late start of an earlier attempt is taken for the present one's."""
    return isinstance(fact, TaskExecutionStarted)


MUTANTS = [
    Mutant("bare horizon", Parts(pump=BareHorizon)),
    Mutant("gives up on failure", Parts(pump=GivesUpOnFailure)),
    Mutant("fact before publish", Parts(pump=FactFirst)),
    Mutant("no return check", Parts(pump=NoReturnCheck)),
    Mutant("unknown is done", Parts(pump=UnknownIsDone)),
    Mutant("forgets what it did", Parts(pump=ForgetsWhatItDid)),
    Mutant("forgets what it does", Parts(pump=ForgetsWhatItDoes)),
    Mutant("settles nothing", Parts(pump=SettlesNothing)),
    Mutant("never moved on", Parts(pump=NeverMovedOn)),
    Mutant("believes the future", patches=((pump_module, "Queues", BelievesTheFuture),)),
    Mutant("deaf clock", Parts(clock=DeafClock)),
    Mutant("stale attempt accepted", patches=((views_module, "remember", accepts_stale_attempts),)),
    Mutant("any start counts", patches=((agent_module, "_tells_a_start", any_start_counts),)),
    Mutant("too early", patches=((pump_module, "decide", too_early),)),
    Mutant("too often", patches=((pump_module, "decide", too_often),)),
    Mutant("impatient", patches=((pump_module, "decide", impatient),)),
    Mutant("never stuck", patches=((pump_module, "decide", never_stuck),)),
]
