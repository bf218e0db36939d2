"""The guard's world: workers, a diary, one real Redis, and everything that can happen to them, as plain calls.

In: what happens next. Out: `violations`, seen by the oracle. The same calls live the same life.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from tests.model.guard_answers import LEASE_MS
from tests.model.guard_diary import Diary
from tests.model.guard_door import PREFIX, Bench, Line, WatchedGuard
from tests.model.guard_memory import Memory
from tests.model.guard_oracle import Oracle
from tests.model.guard_rebuild import Rebuild
from tests.model.guard_strangers import Strangers
from tests.model.guard_time import CLOCK, TimeKeeper
from tests.model.guard_worker import Run, Worker
from tests.support.story import START

WORKERS = 3
Copy = tuple[dict[bytes, bytes], Memory]


class World:
    """One life, from an empty Redis and a ready guard on."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.plain.flushall()
        self.clock = TimeKeeper(bench.plain, START)
        self.clock.step(0)
        self.diary = Diary(self.clock.now_ms)
        self.oracle = Oracle(self.diary, self.clock.now_ms)
        self.strangers = Strangers(bench, self.oracle, self.clock.now_ms)
        self.stalled: list[Callable[[], None]] = []
        self.rebuilds: list[Rebuild] = []
        self.copies: list[Copy] = []
        self._born, self._until_renewal = 0, LEASE_MS // 3
        self.workers = [self._new_worker(number) for number in range(WORKERS)]
        self.rebuild()

    @property
    def violations(self) -> list[str]:
        """What should not have happened."""
        return self.oracle.violations

    @property
    def runs(self) -> list[tuple[Worker, Run]]:
        """Every unfinished run of a worker that is awake."""
        return [(worker, run) for worker in self.workers if not worker.asleep for run in worker.runs]

    def do(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Run it to its end."""
        return self.bench.loop.run_until_complete(what)

    # Tasks and workers

    def accept(self) -> None:
        """A new task comes in."""
        self.diary.accept(f"t{len(self.diary.tasks) + 1}")

    def deliver(self, number: int, task_id: str, attempt: int) -> Run:
        """RabbitMQ delivers a job to a worker."""
        return self.workers[number].take(task_id, attempt)

    def work(self, worker: Worker, run: Run, steps: int, succeeds: bool = True, slowly: bool = False) -> None:
        """A worker goes on with a run, for so many steps or until it cannot."""
        for _ in range(steps):
            if not self.do(worker.work(run, succeeds, slowly)):
                return

    def hand_back(self, worker: Worker, run: Run) -> None:
        """A worker that is being stopped hands a run back."""
        self.do(worker.hand_back(run))

    def regret(self, worker: Worker, run: Run, act: str) -> None:
        """A handler goes on after its run was handed back."""
        if run.claim is not None and not self.oracle.open(run.claim, worker.name):
            self.do(worker.insist(act, run.claim))

    def die(self, number: int) -> None:
        """A worker is killed; another one is started in its place."""
        self.workers[number].dead = True
        self.workers[number] = self._new_worker(number)

    def insist(self, number: int, act: str, place: int) -> None:
        """A worker does something under a claim that it has lost, brought to an end or handed back."""
        worker = self.workers[number]
        stale = [claim for claim in worker.claims if not self.oracle.open(claim, worker.name)]
        if stale:
            self.do(worker.insist(act, stale[place % len(stale)]))

    def go_away(self, number: int, task_id: str, attempt: int) -> None:
        """A worker asks for a claim and is stopped before it has the answer."""
        worker = self.workers[number]
        if not worker.asleep and all((run.task_id, run.attempt) != (task_id, attempt) for run in worker.runs):
            self.do(self._go_away(worker.guard, task_id, attempt))

    async def _go_away(self, guard: WatchedGuard, task_id: str, attempt: int) -> None:
        line, before = guard.line, self.oracle.last(task_id)
        line.fates.appendleft("held")
        line.held.clear()
        line.let_go.clear()
        first = self.diary.first_attempt(task_id, attempt)
        asking = asyncio.get_running_loop().create_task(guard.claim(task_id, attempt, first))
        held = asyncio.get_running_loop().create_task(line.held.wait())
        await asyncio.wait({asking, held}, return_when=asyncio.FIRST_COMPLETED)
        held.cancel()
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        line.let_go.set()
        undisturbed = not line.fates
        await guard.given_back()
        last = self.oracle.last(task_id)
        if undisturbed and last is not before and last is not None and last.lives(self.clock.now_ms()):
            self.oracle.object(f"{line.worker} has gone, but holds {task_id}: {last}")

    # Time

    def pass_by(self, milliseconds: int) -> None:
        """Time passes; who is awake renews its leases three times a lease."""
        while milliseconds > 0:
            passed = min(milliseconds, self._until_renewal)
            milliseconds -= passed
            self._until_renewal -= passed
            self._expire(self.clock.pass_by(passed))
            if self._until_renewal == 0:
                self._until_renewal = LEASE_MS // 3
                for worker in self.workers:
                    if not worker.asleep:
                        worker.guard.leases.renew_all()

    def stand_still(self, milliseconds: int) -> None:
        """Time passes, and nobody does anything at all: the machine was suspended."""
        self.break_off_rebuilds()
        self._expire(self.clock.pass_by(milliseconds))

    def step_clock(self, milliseconds: int) -> None:
        """Somebody sets the clock of Redis's machine, while nobody rebuilds."""
        self.break_off_rebuilds()
        self._expire(self.clock.step(milliseconds))

    # Redis

    def flush(self, restarted: bool) -> None:
        """Redis forgets everything, which takes a moment; `restarted`, also the scripts."""
        self._expire(self.clock.pass_by(1))
        with self.bench.plain.pipeline() as pipeline:
            pipeline.flushall()
            pipeline.set(CLOCK, self.clock.wall_ms)
            if restarted:
                pipeline.script_flush()
            pipeline.execute()
        self.oracle.forgot()

    def copy(self) -> None:
        """Somebody takes a copy of Redis's files."""
        keys = self.bench.plain.keys("*")
        contents = {key: self.bench.plain.dump(key) for key in keys if key != CLOCK.encode()}
        self.copies.append((contents, self.oracle.memory.copied()))

    def restore(self, place: int) -> None:
        """An old copy is put in place, and the epoch key is removed, as one has to."""
        if not self.copies:
            return
        contents, memory = self.copies[place % len(self.copies)]
        self._expire(self.clock.pass_by(1))
        with self.bench.plain.pipeline() as pipeline:
            pipeline.flushall()
            pipeline.set(CLOCK, self.clock.wall_ms)
            for key, content in contents.items():
                pipeline.restore(key, 0, content)
            pipeline.delete(f"{PREFIX}epoch")
            pipeline.execute()
        self.oracle.forgot(memory.copied())
        self._expire(self.clock.step(0))

    def run_stalled(self, place: int) -> None:
        """A call whose asker gave up reaches Redis."""
        if self.stalled:
            self.stalled.pop(place % len(self.stalled))()

    # Rebuilding

    def begin_rebuild(self) -> Rebuild:
        """Somebody runs `streamapp guard rebuild`: it reads the diary."""
        line = Line("operator", self.bench, self.oracle.saw, self.stalled)
        rebuild = Rebuild(WatchedGuard(line, self.clock), self.diary, self.oracle, self.clock)
        self.rebuilds.append(rebuild)
        return rebuild

    def go_on_with_rebuild(self, rebuild: Rebuild, steps: int) -> None:
        """It takes so many steps more."""
        for _ in range(steps):
            if not rebuild.ended:
                self.do(rebuild.go_on())
                self._look_at_epoch(rebuild)
        self.rebuilds = [rebuild for rebuild in self.rebuilds if not rebuild.ended]

    def rebuild(self) -> None:
        """All of it at once."""
        rebuild = self.begin_rebuild()
        self.do(rebuild.run_through())
        self._look_at_epoch(rebuild)
        self.rebuilds.remove(rebuild)

    def break_off_rebuilds(self) -> None:
        """Whoever rebuilds is killed."""
        for rebuild in self.rebuilds:
            self.do(rebuild.break_off())
        self.rebuilds.clear()

    def _look_at_epoch(self, rebuild: Rebuild) -> None:
        epoch = self.bench.plain.get(f"{PREFIX}epoch")
        self.oracle.epoch_is(None if epoch is None else int(epoch), rebuild.told)

    def _new_worker(self, number: int) -> Worker:
        self._born += 1
        line = Line(f"w{number}.{self._born}", self.bench, self.oracle.saw, self.stalled)
        return Worker(line.worker, WatchedGuard(line, self.clock), self.diary, self.oracle)

    def _expire(self, keys: list[str]) -> None:
        for key in keys:
            if key.startswith(f"{PREFIX}task:"):
                self.oracle.expired(key)
