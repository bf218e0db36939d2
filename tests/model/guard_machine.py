"""Hypothesis plays the guard's world: workers die, sleep and come back, Redis forgets, time passes."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.model.guard_answers import LEASE_MS, RETENTION_MS, PromiseBroken
from tests.model.guard_door import PREFIX
from tests.model.guard_time import EXPIRIES
from tests.model.guard_work import TO_THE_HANDLER, WorkMachine, acts, fate, number, place, seldom, steps, task
from tests.model.guard_world import WORKERS, World

ALL_STEPS = 50
"""More than a run or a rebuild has."""

troubles = st.sampled_from(["flush", "flush", "restore", "kill", "rebuild"])
fates = st.lists(st.sampled_from(["lost", "lost", "ok", "unasked", "late"]), min_size=1, max_size=4)
moments = st.sampled_from([1, LEASE_MS // 3, LEASE_MS - 1, LEASE_MS, LEASE_MS + 1, 3 * LEASE_MS])
ages = st.sampled_from([LEASE_MS + 1, 10 * LEASE_MS, RETENTION_MS - LEASE_MS, RETENTION_MS, RETENTION_MS + 1])


class GuardMachine(WorkMachine):
    """All rules. A failing example prints as a program that lives the same life again."""

    # Workers in trouble

    @rule(number=number)
    def worker_dies(self, number: int) -> None:
        self.now.die(number)

    @rule(first=number, task=task, lives=st.lists(st.sampled_from([1, 3]), min_size=1, max_size=5), stuck=st.booleans())
    def job_kills_its_workers(self, first: int, task: int, lives: list[int], stuck: bool) -> None:
        for turn, life in enumerate(lives):
            victim = (first + turn) % WORKERS
            if stuck:
                self.now.diary.next_attempt(self.task(task))
            self.work_on(victim, task, 0, life)
            self.now.die(victim)
            self.now.stand_still(LEASE_MS)

    @rule(first=number, task=task, deaths=st.integers(2, 4), heir=number)
    def job_that_kills_is_given_up_and_requeued(self, first: int, task: int, deaths: int, heir: int) -> None:
        task_id = self.task(task)
        for turn in range(deaths):
            victim = (first + turn) % WORKERS
            run = self.now.deliver(victim, task_id, self.now.diary.dispatched[task_id])
            self.now.work(self.now.workers[victim], run, TO_THE_HANDLER)
            self.now.die(victim)
            self.now.stand_still(LEASE_MS)
        self.now.diary.give_up(task_id)
        self.now.diary.requeue(task_id)
        again = self.now.deliver(heir, task_id, self.now.diary.dispatched[task_id])
        self.now.work(self.now.workers[heir], again, TO_THE_HANDLER)

    @rule(number=number, asleep=seldom)
    def worker_sleeps(self, number: int, asleep: bool) -> None:
        self.now.workers[number].asleep = asleep

    @rule(number=number, task=task, steps=steps)
    def worker_sleeps_past_its_lease(self, number: int, task: int, steps: int) -> None:
        self.work_on(number, task, 0, steps)
        self.now.stand_still(LEASE_MS)

    @rule(zombie=number, task=task, steps=st.sampled_from([2, 3, 5, 8]), fails=seldom, again=seldom)
    def zombie_gets_done_beside_its_heir(self, zombie: int, task: int, steps: int, fails: bool, again: bool) -> None:
        late = self.work_on(zombie, task, 0, TO_THE_HANDLER)
        self.now.stand_still(LEASE_MS)
        if not again:
            self.now.diary.next_attempt(self.task(task))
        self.work_on((zombie + 1) % WORKERS, task, 0, steps)
        self.now.work(*late, ALL_STEPS, not fails)

    @rule(number=number, act=acts, place=place)
    def zombie_insists(self, number: int, act: str, place: int) -> None:
        self.now.insist(number, act, place)

    @rule(number=number, fates=fates)
    def answers_meet(self, number: int, fates: list[str]) -> None:
        self.now.workers[number].guard.line.fates.extend(fates)

    @rule(place=place)
    def stalled_call_arrives(self, place: int) -> None:
        self.now.run_stalled(place)

    @rule(number=number, task=task)
    def worker_goes_away_while_asking(self, number: int, task: int) -> None:
        self.now.go_away(number, self.task(task), self.now.diary.dispatched[self.task(task)])

    @rule(place=place, steps=steps, succeeds=st.booleans(), fate=fate)
    def worker_goes_on_over_a_bad_line(self, place: int, steps: int, succeeds: bool, fate: str) -> None:
        found = self.run_at(place)
        if found is not None:
            found[0].guard.line.fates.append(fate)
            self.now.work(*found, 1, succeeds)
            self.now.work(*found, steps, succeeds)

    @rule()
    def strangers_try_everything(self) -> None:
        self.now.strangers.try_everything()

    # Time

    @rule(milliseconds=moments)
    def time_passes(self, milliseconds: int) -> None:
        self.now.pass_by(milliseconds)

    @rule(milliseconds=ages)
    def machine_is_suspended(self, milliseconds: int) -> None:
        self.now.stand_still(milliseconds)

    @rule(milliseconds=st.sampled_from([-60_000, -5_000, 5_000, 60_000]))
    def clock_is_stepped(self, milliseconds: int) -> None:
        self.now.step_clock(milliseconds)

    # Redis in trouble

    @rule(restarted=st.booleans(), unnoticed=seldom)
    def redis_forgets(self, restarted: bool, unnoticed: bool) -> None:
        self.now.flush(restarted)
        if not unnoticed:
            self.now.rebuild()

    @rule(milliseconds=st.sampled_from([0, LEASE_MS]), place=place, steps=steps, succeeds=st.booleans())
    def redis_forgets_and_is_rebuilt(self, milliseconds: int, place: int, steps: int, succeeds: bool) -> None:
        self.now.flush(restarted=False)
        self.now.rebuild()
        self.now.pass_by(milliseconds)
        self.worker_goes_on(place, steps, succeeds, slowly=False)

    @rule()
    def redis_is_copied(self) -> None:
        self.now.copy()

    @rule(place=place, unnoticed=seldom)
    def old_copy_is_restored(self, place: int, unnoticed: bool) -> None:
        self.now.restore(place)
        if not unnoticed:
            self.now.rebuild()

    @rule()
    def guard_is_rebuilt(self) -> None:
        self.now.rebuild()

    @rule()
    def rebuild_begins(self) -> None:
        if len(self.now.rebuilds) < 2:
            self.now.begin_rebuild()

    @rule(place=place, steps=st.integers(1, 8))
    def rebuild_goes_on(self, place: int, steps: int) -> None:
        if self.now.rebuilds:
            self.now.go_on_with_rebuild(self.now.rebuilds[place % len(self.now.rebuilds)], steps)

    @rule(steps=st.sampled_from([0, 1, 2, 3, 4, 5, 5, 6, 6, 7, 8]), trouble=troubles)
    def rebuild_is_disturbed(self, steps: int, trouble: str) -> None:
        rebuild = self.now.begin_rebuild()
        self.now.go_on_with_rebuild(rebuild, steps)
        match trouble:
            case "flush":
                self.now.flush(restarted=False)
            case "restore":
                self.now.restore(0)
            case "kill":
                self.now.break_off_rebuilds()
            case "rebuild":
                self.now.rebuild()
        self.now.go_on_with_rebuild(rebuild, ALL_STEPS)

    @rule()
    def rebuild_breaks_off(self) -> None:
        self.now.break_off_rebuilds()

    # What must be

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self.world is not None:
            self.world.strangers.ask_to_run()
            self._look()

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            if not self.world.violations:
                self._drain(self.world)
                self._look()
        finally:
            self.world.break_off_rebuilds()

    def _drain(self, world: World) -> None:
        """All workers die and their leases lapse: whatever was left, a new worker brings every task to an outcome."""
        world.rebuild()
        for worker in range(WORKERS):
            world.die(worker)
        world.stand_still(max(world.oracle.held_for(), LEASE_MS))
        for task_id in world.diary.tasks:
            run = world.deliver(0, task_id, world.diary.dispatched[task_id])
            world.work(world.workers[0], run, ALL_STEPS)
            self._look()
            if run.step != "settled":
                raise PromiseBroken(f"{task_id} cannot be brought to an end: {run}")
        keys = set(self.bench.plain.keys(f"{PREFIX}task:*"))
        kept = {key for key, _ in self.bench.plain.zrange(EXPIRIES, 0, -1, withscores=True)}
        if not keys <= kept:
            raise PromiseBroken(f"{keys - kept} are kept for ever")

    def _look(self) -> None:
        if self.now.violations:
            raise PromiseBroken(self.now.violations[0])
