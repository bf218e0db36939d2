"""The simulated world: brokers, machines, workers, and everything that can happen to them, as plain calls.

Every call acts at once or lets virtual time pass; after each the caller looks at `violations`. The same calls with the
same seed live the same life.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from streamapp.domain.facts import Origin
from streamapp.domain.outcome import Outcome
from streamapp.domain.policy import Policy
from streamapp.wire import facts as wire
from streamapp.wire.scribe import Scribe
from tests.model.dispatcher import QUEUES, Machine, Parts
from tests.model.doors import partition_of
from tests.model.kafka import PARTITIONS, TOPIC, Kafka
from tests.model.life import Life, note_task, outside, parked
from tests.model.oracle import Oracle
from tests.model.rabbit import Rabbit
from tests.model.virtual_time import VirtualLoop
from tests.model.workers import Worker, outcome_named
from tests.support.guard import Memory

MACHINES = 3
WORKERS = 2
SESSION_SECONDS = 1.0
TOLD_SECONDS = 0.5
SCRIBE = Scribe("api", "model", lambda: "2026-01-01T00:00:00.000Z")
HTTP = Origin("http")
LOGGERS = ("agents", "streamapp")


class World:
    """One life of the whole system, from an empty diary on."""

    def __init__(self, seed: int, parts: Parts | None = None) -> None:
        self.chance = random.Random(seed)
        self.loop = VirtualLoop(note_task, parked)
        self.loop.set_exception_handler(lambda _, context: self._stumbled(str(context)))
        self.parts = parts or Parts()
        self.oracle = Oracle()
        self.kafka, self.rabbit = Kafka(), Rabbit(tuple(QUEUES.values()))
        self.kafka.watchers.append(self.oracle.recorded)
        self.guard = Memory()
        self.group: dict[int, int] = {}
        self.plans: dict[str, list[str]] = {}
        self.machines = [Machine(self, f"m{number}") for number in range(MACHINES)]
        self.workers = [Worker(self, f"w{number}") for number in range(WORKERS)]
        self.faults: list[str] = []
        self._rebalances = 0
        self._log = _ErrorLog(self._stumbled)
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self._log)
            logging.getLogger(name).propagate = False
        self.act(self._begin)

    @property
    def violations(self) -> list[str]:
        """What should not have happened."""
        return self.oracle.violations

    def act(self, what: Callable[[], Any]) -> None:
        """Do something at this moment."""

        async def now() -> None:
            what()
            await asyncio.sleep(0)

        self.loop.run_until_complete(now())

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        """End it all."""
        for one in [*self.machines, *self.workers]:
            if one.life is not None:
                one.life.kill()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.run(0)
        while asyncio.all_tasks(self.loop):
            self.run(0.001)
        self.loop.close()
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self._log)
            logging.getLogger(name).propagate = True

    def _begin(self) -> None:
        self.machines[0].start()
        for worker in self.workers:
            worker.start()
        self.rebalance()

    def outcome(self, task_id: str, attempt: int) -> Outcome:
        """What the handler comes to in this attempt."""
        plan = self.plans.get(task_id, [])
        return outcome_named(plan[attempt - 1] if attempt <= len(plan) else "ok")

    def accept(self, task_id: str, type: str, plan: list[str], max_attempts: int) -> None:
        """The api takes a task on."""
        self.plans[task_id] = plan
        policy = Policy(max_attempts=max_attempts, timeout_seconds=1.0)
        self.tell(SCRIBE.accepted(task_id, type, {"of": task_id}, policy, HTTP))

    def requeue(self, task_id: str, request: str) -> None:
        """The api is asked to have a task tried again."""
        self.tell(SCRIBE.requeued(task_id, "ann", "mended", request))

    def tell(self, fact: Any) -> None:
        """Somebody appends a fact."""
        key, value = wire.encode(fact)
        self.kafka.append(TOPIC, partition_of(fact.task_id), key, value)

    def rebalance(self) -> None:
        """The group shares the partitions out anew, among those it believes alive."""
        self._rebalances += 1
        self.loop.create_task(self._rebalance(self._rebalances))

    async def _rebalance(self, number: int) -> None:
        members = [machine for machine in self.machines if machine.member]
        await asyncio.gather(*(machine.revoke() for machine in members))
        members = [machine for machine in members if machine.member]
        if number != self._rebalances or not members:
            return
        shares: dict[Machine, set[int]] = {machine: set() for machine in members}
        for partition in range(PARTITIONS):
            shares[self.chance.choice(members)].add(partition)
        for machine, partitions in shares.items():
            machine.take(partitions)

    def start(self, machine: Machine) -> None:
        """A dispatcher starts and joins."""
        if not machine.alive:
            machine.start()
            self.rebalance()

    def crash(self, machine: Machine) -> None:
        """A dispatcher dies; the group finds out a while later."""
        if machine.alive:
            machine.kill()
            self.loop.call_later(self.chance.random() * SESSION_SECONDS, self.rebalance)

    def stop(self, machine: Machine) -> None:
        """A dispatcher leaves in good order."""
        if machine.alive and not machine.zombie and machine.life is not None and not machine.life.frozen:

            async def leave() -> None:
                await machine.stop()
                self.rebalance()

            self.loop.create_task(leave())

    def cut_off(self, machine: Machine, *, frozen: bool) -> None:
        """The group no longer hears of a dispatcher, which stands still or goes on as if nothing were."""
        if machine.member and machine.life is not None:
            if frozen:
                machine.life.freeze()
            life, machine.cut_off = machine.life, True
            outside(self.chance.random() * SESSION_SECONDS, self._give_up_on, machine, life)

    def cut_off_soon(self, machine: Machine, steps: int) -> None:
        """The same, with a dispatcher that stands still so many steps from now."""
        if machine.member and machine.life is not None:
            machine.life.frost = (steps, lambda: self.cut_off(machine, frozen=True))

    def _give_up_on(self, machine: Machine, life: Life) -> None:
        if machine.life is life and machine.cut_off and not life.dead:
            machine.zombie = True
            self.rebalance()

    def reconnect(self, machine: Machine) -> None:
        """A dispatcher that was cut off goes on, and is told a while later that it lost its partitions."""
        if machine.alive and machine.life is not None:
            machine.life.thaw()
            machine.cut_off = False
            if machine.zombie:
                delay = self.chance.random() * TOLD_SECONDS
                self.loop.call_later(delay, lambda: self.loop.create_task(self._rejoin(machine, machine.life)))

    async def _rejoin(self, machine: Machine, life: Life | None) -> None:
        if machine.life is life and machine.zombie:
            await machine.revoke()
            machine.zombie = False
            self.rebalance()

    @property
    def deaths_unnoticed(self) -> list[Life]:
        """Dispatchers whose fuse has burnt down."""
        lives = [machine.life for machine in self.machines if machine.life is not None]
        return [life for life in lives if life.dead and life.fuse is not None]

    def step_brokers_clock(self, skew_ms: int) -> None:
        """From now on Kafka's clock is wrong by so much."""
        if skew_ms != self.kafka.skew_ms:
            self.kafka.skew_ms = skew_ms
            self.oracle.clock_steps += 1

    def notice_deaths(self) -> None:
        """The group finds out about them."""
        for life in self.deaths_unnoticed:
            life.fuse = None
            self.loop.call_later(self.chance.random() * SESSION_SECONDS, self.rebalance)

    def _stumbled(self, what: str) -> None:
        self.violations.append(f"an error that nobody expected: {what}")


class _ErrorLog(logging.Handler):
    """Errors with a traceback are faults of the product."""

    def __init__(self, told: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._told(f"{record.getMessage()}: {record.exc_info[1]!r}")
