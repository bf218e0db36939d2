"""Simulated workers: the worker's steps in its order, with the guard's rules, and a death after any of them."""

import asyncio
from typing import TYPE_CHECKING, Any

from streamapp.clock import rfc3339
from streamapp.domain import outcome
from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed
from streamapp.domain.outcome import Completed, Failed, Outcome
from streamapp.guard import Claimed, Doomed, Held, Known
from streamapp.wire import facts as wire
from streamapp.wire.scribe import Scribe
from tests.model.doors import SimulatedFactLog, WallClock
from tests.model.life import Life, outside
from tests.model.rabbit import Message
from tests.support.guard import FakeGuard

if TYPE_CHECKING:
    from tests.model.world import World

LEASE_SECONDS = 2.0
HELD_PAUSE_SECONDS = 0.5


class Worker:
    """One worker with one job at a time. `slow`: its next handler runs past its timeout and its lease."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.lives = 0
        self.slow = False
        self.life: Life | None = None
        self._held: list[Message] = []

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.life is not None and not self.life.dead

    def start(self) -> None:
        """Start a process."""
        self.lives += 1
        life = self.life = Life(f"{self.name}.{self.lives}", self.world.chance)
        self._guard = FakeGuard(self.world.guard, life.name)
        log: Any = SimulatedFactLog(self.world.kafka, life)
        self._log = log
        self._scribe = Scribe("worker", life.name, lambda: rfc3339(WallClock().now_ms()))
        life.spawn(self._run(life)).add_done_callback(lambda _: self._died(life))

    def _died(self, life: Life) -> None:
        """Its connection closes, and its leases run out some time later."""
        self.world.rabbit.lose_consumer(self._held)
        self._held = []
        for task_id, row in self.world.guard.rows.items():
            if row.owner == life.name and row.status == "active":
                outside(LEASE_SECONDS, self._lapse, task_id, row.token)

    def _lapse(self, task_id: str, token: object) -> None:
        row = self.world.guard.rows[task_id]
        row.lapsed |= row.token == token

    async def _run(self, life: Life) -> None:
        while True:
            message = await self.world.rabbit.take()
            self._held = [message]
            await life.step()
            await self._execute(life, message)
            await life.step()
            self.world.rabbit.ack(message)
            self._held = []

    async def _execute(self, life: Life, message: Message) -> None:
        job = message.job
        answer = await self._guard.claim(job.task_id, job.attempt, job.first_attempt)
        while isinstance(answer, Held):
            await asyncio.sleep(HELD_PAUSE_SECONDS)
            await life.step()
            answer = await self._guard.claim(job.task_id, job.attempt, job.first_attempt)
        await life.step()
        match answer:
            case Known(claim=claim, record=record):
                if record is not None:
                    await self._log.append_durably([wire.decode(job.task_id.encode(), record)])
                    await self._guard.ended(claim)
                if claim.attempt < job.first_attempt:
                    return await self._execute(life, message)
                return None
            case Claimed(claim=claim):
                result = self.world.outcome(job.task_id, job.attempt)
            case Doomed(claim=claim, deaths=deaths):
                result = outcome.workers_died(deaths)
            case _:
                return None
        started = self._scribe.started(job.task_id, job.attempt, life.name, claim.token, message.redelivered)
        await self._log.append_durably([started])
        if not await self._guard.confirm(claim):
            return await self._execute(life, message)
        await asyncio.sleep(self._duration(claim))
        await life.step()
        fact = self._ended(life, job.task_id, job.attempt, claim.token, result)
        kept = await self._guard.complete(claim, wire.encode(fact)[1], succeeded=isinstance(result, Completed))
        await life.step()
        await self._log.append_durably([fact])
        if kept:
            await self._guard.ended(claim)
        return None

    def _duration(self, claim: Any) -> float:
        if self.slow:
            self.slow = False
            outside(LEASE_SECONDS, self._lapse, claim.task_id, claim.token)
            return 12.0
        return self.world.chance.random() * 0.5

    def _ended(
        self, life: Life, task_id: str, attempt: int, token: Any, result: Outcome
    ) -> TaskExecutionCompleted | TaskExecutionFailed:
        return self._scribe.ended(task_id, attempt, life.name, token, result, 5)


def outcome_named(name: str) -> Outcome:
    """What a handler of the model may come to."""
    match name:
        case "ok":
            return Completed({"done": True})
        case "fails":
            return Failed("Boom", "no luck", retryable=True)
        case "hopeless":
            return Failed("Boom", "never", retryable=False)
        case _:
            return outcome.too_old(1e6)
