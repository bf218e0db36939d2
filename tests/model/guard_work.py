"""The work of the guard's model: jobs come in, workers take steps, dispatch and Kafka do their part."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from streamapp.domain.progress import State
from tests.model.guard_answers import LEASE_MS
from tests.model.guard_door import Bench
from tests.model.guard_worker import Run, Worker
from tests.model.guard_world import WORKERS, World

MOST_OPEN = 2
"""So many unfinished tasks before the latest one are still worked on."""

TO_THE_HANDLER = 3
"""Steps of a run until its handler has begun."""

TO_THE_OUTCOME = 5
"""Steps of a run until its outcome is in Redis and not yet in the diary."""

place = st.integers(0, 2**8)
number = st.integers(0, WORKERS - 1)
task = st.integers(0, MOST_OPEN + 1)
steps = st.sampled_from([1, 2, 3, 3, 4, 5, 8])
acts = st.sampled_from(["confirm", "complete", "release"])
seldom = st.sampled_from([False, False, True])
attempts_back = st.sampled_from([0, 0, 0, 1, 2])
pauses = st.sampled_from([0, 0, 1, 1_000, LEASE_MS - 1])
fate = st.sampled_from(["lost", "late", "unasked"])


class WorkMachine(RuleBasedStateMachine):
    """The rules of a world in which only Kafka and dispatch are slow, and a worker is stopped now and then."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.world: World | None = None

    @property
    def now(self) -> World:
        """The world, once it has begun."""
        assert self.world is not None
        return self.world

    @initialize()
    def begin(self) -> None:
        self.world = World(self.bench)
        self.now.accept()

    @rule(number=number, task=task, back=attempts_back, steps=steps, succeeds=seldom, pause=pauses)
    def job_is_delivered(self, number: int, task: int, back: int, steps: int, succeeds: bool, pause: int) -> None:
        for _ in range(steps):
            self.work_on(number, task, back, 1, succeeds=succeeds)
            self.now.pass_by(pause)

    @rule(place=place, steps=steps, succeeds=st.booleans(), slowly=st.booleans())
    def worker_goes_on(self, place: int, steps: int, succeeds: bool, slowly: bool) -> None:
        found = self.run_at(place)
        if found is not None:
            self.now.work(*found, steps, succeeds, slowly)

    @rule(place=place, then=acts)
    def worker_hands_back(self, place: int, then: str) -> None:
        found = self.run_at(place)
        if found is not None:
            self.now.hand_back(*found)
            self.now.regret(*found, then)

    @rule(number=number, task=task, steps=st.integers(1, TO_THE_OUTCOME - 1), then=acts)
    def job_is_handed_back(self, number: int, task: int, steps: int, then: str) -> None:
        worker, run = self.work_on(number, task, 0, steps)
        if run in worker.runs:
            self.now.hand_back(worker, run)
            self.now.regret(worker, run, then)

    @rule(number=number, task=task, succeeds=st.booleans())
    def outcome_is_kept(self, number: int, task: int, succeeds: bool) -> None:
        self.work_on(number, task, 0, TO_THE_OUTCOME, succeeds)
        self.now.strangers.try_everything()

    @rule(number=number, task=task, succeeds=st.booleans(), fate=fate)
    def keeping_the_outcome_goes_wrong(self, number: int, task: int, succeeds: bool, fate: str) -> None:
        worker, _ = self.work_on(number, task, 0, TO_THE_OUTCOME - 1, succeeds)
        worker.guard.line.fates.append(fate)
        self.work_on(number, task, 0, 1, succeeds)

    @rule(number=number, task=task, succeeds=st.booleans(), for_good=st.booleans())
    def dispatch_takes_a_kept_outcome_for_lost(self, number: int, task: int, succeeds: bool, for_good: bool) -> None:
        self.work_on(number, task, 0, TO_THE_OUTCOME, succeeds)
        (self.now.diary.give_up if for_good else self.now.diary.next_attempt)(self.task(task))

    @rule()
    def task_is_accepted(self) -> None:
        self.now.accept()

    @rule(first=place, number=number, steps=steps, succeeds=st.booleans())
    def job_is_delivered_elsewhere_too(self, first: int, number: int, steps: int, succeeds: bool) -> None:
        found = self.run_at(first)
        if found is not None:
            run = found[1]
            self.now.work(self.now.workers[number], self.now.deliver(number, run.task_id, run.attempt), steps, succeeds)

    @rule(number=number, task=task, steps=steps)
    def job_starts_slowly(self, number: int, task: int, steps: int) -> None:
        self.work_on(number, task, 0, steps, slowly=True)

    @rule(task=task)
    def next_attempt_is_dispatched(self, task: int) -> None:
        self.now.diary.next_attempt(self.task(task))

    @rule(number=number, task=task, steps=steps)
    def next_attempt_is_delivered(self, number: int, task: int, steps: int) -> None:
        self.now.diary.next_attempt(self.task(task))
        self.work_on(number, task, 0, steps)

    @rule(task=task)
    def task_is_given_up(self, task: int) -> None:
        if self.now.diary.dispatched[self.task(task)] > 1:
            self.now.diary.give_up(self.task(task))

    @rule(place=place, number=number, steps=steps, succeeds=seldom)
    def task_is_requeued(self, place: int, number: int, steps: int, succeeds: bool) -> None:
        """One that has failed for good, if there is any, and the new job is delivered."""
        tasks = self.now.diary.tasks.items()
        failed = [task_id for task_id, task in tasks if task.state is State.FAILED_PERMANENTLY]
        task_id = (failed or list(self.now.diary.tasks))[place % len(failed or self.now.diary.tasks)]
        self.now.diary.requeue(task_id)
        run = self.now.deliver(number, task_id, self.now.diary.dispatched[task_id])
        self.now.work(self.now.workers[number], run, steps, succeeds)

    @rule(number=number, task=task, succeeds=st.booleans(), slowly=st.booleans(), heir=number)
    def kept_outcome_is_given_up_and_requeued(
        self, number: int, task: int, succeeds: bool, slowly: bool, heir: int
    ) -> None:
        """The worker has told the guard what came of it, and not the diary, or too late for it to count."""
        worker, run = self.work_on(number, task, 0, TO_THE_OUTCOME, succeeds)
        self.now.diary.give_up(run.task_id)
        if not slowly:
            self.now.work(worker, run, 1)
        self.now.diary.requeue(run.task_id)
        again = self.now.deliver(heir, run.task_id, self.now.diary.dispatched[run.task_id])
        self.now.work(self.now.workers[heir], again, 2 * TO_THE_OUTCOME)

    @rule(place=place)
    def fact_lands(self, place: int) -> None:
        if self.now.diary.on_their_way:
            self.now.diary.land(place)

    @rule(place=place)
    def fact_never_lands(self, place: int) -> None:
        self.now.diary.lose(place, [worker.name for worker in self.now.workers])

    def work_on(
        self, number: int, task: int, back: int, steps: int, succeeds: bool = False, slowly: bool = False
    ) -> tuple[Worker, Run]:
        """A worker is given a job, of the latest attempt or of one so many before it, and works at it."""
        worker, task_id = self.now.workers[number], self.task(task)
        run = self.now.deliver(number, task_id, max(self.now.diary.dispatched[task_id] - back, 1))
        self.now.work(worker, run, steps, succeeds, slowly)
        return worker, run

    def task(self, back: int) -> str:
        """The latest task that has not ended, or one of the two before it, or any; a new one if all have ended."""
        tasks = self.now.diary.tasks
        open_ones = [task_id for task_id, task in tasks.items() if not task.progress.terminal]
        if not open_ones:
            self.now.accept()
        chosen = list(tasks) if back > MOST_OPEN else open_ones or list(tasks)
        return chosen[max(len(chosen) - 1 - back % (MOST_OPEN + 1), 0)]

    def run_at(self, place: int) -> tuple[Worker, Run] | None:
        runs = self.now.runs
        return runs[place % len(runs)] if runs else None
