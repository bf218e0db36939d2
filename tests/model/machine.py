"""Hypothesis plays the world: it accepts tasks, breaks things, lets time pass, and looks for what must not be."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamapp.wire import facts as wire
from tests.model.disk import simulated_files
from tests.model.dispatcher import QUEUES, Machine, Parts
from tests.model.kafka import PARTITIONS, TOPIC
from tests.model.liveness import drain
from tests.model.world import MACHINES, SCRIBE, WORKERS, World

which_machine = st.integers(0, MACHINES - 1)
which_worker = st.integers(0, WORKERS - 1)
queues = st.sampled_from(sorted(QUEUES.values()))
tables = st.sampled_from([("pending",), ("dedup",), ("pending", "dedup")])
skews = st.sampled_from([-60_000, -5_000, 0, 5_000, 60_000])
requests = st.integers(0, 4)
STRANGE = ["dispatched", "garbage", "marker", "other", "ahead", "requeued"]
outcomes = st.lists(st.sampled_from(["ok", "fails", "fails", "hopeless", "too old"]), max_size=4)


class DispatchMachine(RuleBasedStateMachine):
    """The rules. A failing example prints as a program that lives the same life again."""

    parts = Parts()

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.tasks = 0

    @property
    def now(self) -> World:
        """The world, once it has begun."""
        assert self.world is not None
        return self.world

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.files = simulated_files()
        self.world = World(seed, self.parts)

    @rule(type=st.sampled_from(sorted(QUEUES)), plan=outcomes, most=st.integers(1, 3), count=st.integers(1, 5))
    def accept(self, type: str, plan: list[str], most: int, count: int) -> None:
        for _ in range(count):
            self.tasks += 1
            self.now.act(lambda: self.now.accept(f"t{self.tasks}", type, plan, most))

    @rule(plans=st.lists(outcomes, min_size=3, max_size=8), pause=st.sampled_from([10, 50, 300]))
    def tasks_come_in(self, plans: list[list[str]], pause: int) -> None:
        for plan in plans:
            self.accept(sorted(QUEUES)[len(plan) % 2], plan, 3, 1)
            self.time_passes(pause)

    @rule()
    def everybody_starts(self) -> None:
        for machine in self.now.machines[:2]:
            self.now.act(lambda machine=machine: self.now.start(machine))
        for number in range(WORKERS):
            self.worker_starts(number)

    @rule(milliseconds=st.sampled_from([1, 5, 20, 100, 400, 1500]))
    def time_passes(self, milliseconds: int) -> None:
        self.now.run(milliseconds / 1000)

    @rule(seconds=st.sampled_from([3, 7, 15]))
    def much_time_passes(self, seconds: int) -> None:
        self.now.run(seconds)

    @rule(number=which_machine, after=st.integers(0, 30))
    def dispatcher_dies_soon(self, number: int, after: int) -> None:
        machine = self._machine(number)
        if machine.life is not None and machine.alive:
            machine.life.fuse = after

    @rule(number=which_machine)
    def dispatcher_dies(self, number: int) -> None:
        self.now.act(lambda: self.now.crash(self._machine(number)))

    @rule(number=which_machine)
    def dispatcher_starts(self, number: int) -> None:
        self.now.act(lambda: self.now.start(self._machine(number)))

    @rule(number=which_machine)
    def dispatcher_stops(self, number: int) -> None:
        self.now.act(lambda: self.now.stop(self._machine(number)))

    @rule(number=which_machine, frozen=st.booleans())
    def dispatcher_is_cut_off(self, number: int, frozen: bool) -> None:
        self.now.act(lambda: self.now.cut_off(self._machine(number), frozen=frozen))

    @rule(number=which_machine, after=st.integers(0, 30))
    def dispatcher_freezes_soon(self, number: int, after: int) -> None:
        self.now.cut_off_soon(self._machine(number), after)

    @rule(number=which_machine)
    def dispatcher_comes_back(self, number: int) -> None:
        self.now.act(lambda: self.now.reconnect(self._machine(number)))

    @rule()
    def rebalance(self) -> None:
        self.now.act(self.now.rebalance)

    @rule(number=which_worker, after=st.integers(0, 12))
    def worker_dies_soon(self, number: int, after: int) -> None:
        life = self.now.workers[number].life
        if life is not None and not life.dead:
            life.fuse = after

    @rule(number=which_worker)
    def worker_starts(self, number: int) -> None:
        worker = self.now.workers[number]
        if not worker.alive:
            self.now.act(worker.start)

    @rule(number=which_worker)
    def handler_is_slow(self, number: int) -> None:
        self.now.workers[number].slow = True

    @rule(up=st.booleans())
    def rabbitmq(self, up: bool) -> None:
        self.now.act(self.now.rabbit.come_up if up else self.now.rabbit.go_down)

    @rule(alarmed=st.booleans())
    def rabbitmq_alarm(self, alarmed: bool) -> None:
        self.now.rabbit.alarmed = alarmed

    @rule(fates=st.lists(st.sampled_from(["ok", "lost", "unconfirmed", "late"]), min_size=1, max_size=4))
    def publishes_meet(self, fates: list[Any]) -> None:
        self.now.rabbit.fates.extend(fates)

    @rule(queue=queues, delete=st.booleans())
    def queue_is_lost(self, queue: str, delete: bool) -> None:
        self.now.act(lambda: (self.now.rabbit.delete if delete else self.now.rabbit.purge)(queue))

    @rule(up=st.booleans())
    def kafka(self, up: bool) -> None:
        self.now.act(self.now.kafka.come_up if up else self.now.kafka.up.clear)

    @rule(fates=st.lists(st.sampled_from(["ok", "lost", "unknown", "late"]), min_size=1, max_size=4))
    def appends_meet(self, fates: list[Any]) -> None:
        self.now.kafka.fates.extend(fates)

    @rule(number=which_machine, skew=skews)
    def dispatchers_clock_is_stepped(self, number: int, skew: int) -> None:
        self._machine(number).clock.skew_ms = skew

    @rule(skew=skews)
    def brokers_clock_is_stepped(self, skew: int) -> None:
        self.now.step_brokers_clock(skew)

    @rule(end=st.booleans())
    def group_is_reset(self, end: bool) -> None:
        for partition in range(PARTITIONS):
            self.now.group[partition] = self.now.kafka.end(TOPIC, partition) if end else 0

    @rule(number=which_machine, names=tables)
    def files_are_lost(self, number: int, names: tuple[str, ...]) -> None:
        self.now.act(lambda: self._wipe(self._machine(number), names))

    @rule(names=tables)
    def changelogs_are_deleted(self, names: tuple[str, ...]) -> None:
        self._forget(names)

    @rule(number=which_machine, names=tables, rows=st.integers(1, 12))
    def changelogs_are_cut(self, number: int, names: tuple[str, ...], rows: int) -> None:
        """The power of Kafka is cut, and changelogs lose their tails. One machine lives on, with its files."""
        world, survivor = self.now, self._machine(number)
        if not world.kafka.up.is_set():
            return
        others = [machine for machine in world.machines if machine is not survivor]
        world.act(lambda: [world.crash(machine) for machine in others])
        for machine in others:
            machine.disk.wipe(*names)
        for name in names:
            for partition in world.kafka.topic(f"dispatch-{name}-changelog"):
                del partition[-rows:]

    @rule(place=st.integers(0, 2**16))
    def fact_is_told_again(self, place: int) -> None:
        rows = [row for rows in self.now.kafka.topic(TOPIC) for row in rows if row is not None]
        if rows:
            row = rows[place % len(rows)]
            try:
                fact = wire.decode(row.key, row.value)
            except wire.Undecodable:
                return
            self.now.act(lambda: self.now.tell(fact))

    @rule(place=st.integers(0, 2**8), request=st.integers(0, 2), failed=st.booleans())
    def task_is_requeued(self, place: int, request: int, failed: bool) -> None:
        """Somebody asks for another try, of what has failed or of anything; the same request may come again."""
        oracle = self.now.oracle
        tasks = sorted(oracle.given_up) if failed else sorted(oracle.accepted)
        if tasks:
            self.now.act(lambda: self.now.requeue(tasks[place % len(tasks)], f"request-{request}"))

    @rule(request=requests, pause=st.sampled_from([0, 5, 100, 1500]))
    def all_that_failed_is_requeued(self, request: int, pause: int) -> None:
        for task_id in sorted(self.now.oracle.given_up):
            self.now.act(lambda task_id=task_id: self.now.requeue(task_id, f"sweep-{request}"))
        self.time_passes(pause)

    @rule(then=st.lists(outcomes, min_size=1, max_size=3), request=requests, seconds=st.sampled_from([1, 3, 7]))
    def tasks_fail_for_good(self, then: list[list[str]], request: int, seconds: int) -> None:
        """If somebody is there to run them; and whatever has failed by now is requeued."""
        for plan in then:
            self.accept(sorted(QUEUES)[len(plan) % 2], ["hopeless", *plan], 3, 1)
        self.much_time_passes(seconds)
        self.all_that_failed_is_requeued(request, 100)

    @rule(kind=st.sampled_from(STRANGE), partition=st.integers(0, PARTITIONS - 1))
    def stranger_appends(self, kind: str, partition: int) -> None:
        self.now.act(lambda: self._strange(kind, partition))

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self.world is not None:
            if self.world.deaths_unnoticed:
                self.world.act(self.world.notice_deaths)
            for machine in self.world.machines:
                self.world.violations.extend(machine.odd_tables())
            assert not self.world.violations, self.world.violations[0]

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            if not self.world.violations:
                drain(self.world)
                assert not self.world.violations, self.world.violations[0]
        finally:
            self.world.close()
            self.files.close()

    def _machine(self, number: int) -> Machine:
        return self.now.machines[number]

    def _wipe(self, machine: Machine, names: tuple[str, ...]) -> None:
        """Files go while nobody has them open."""
        self.now.crash(machine)
        machine.disk.wipe(*names)

    def _forget(self, names: tuple[str, ...]) -> None:
        """Changelogs go while nobody runs, and with them all files but one machine's, which starts first and alone.

        That is as far as the product goes: a machine that keeps its files and comes in later keeps its old tables
        (docs/howto/replay.md).
        """
        world, first = self.now, self.now.machines[0]
        if not world.kafka.up.is_set():
            return
        world.act(lambda: [world.crash(machine) for machine in world.machines])
        for machine in world.machines[1:]:
            machine.disk.wipe(*names)
        for name in names:
            world.kafka.topics.pop(f"dispatch-{name}-changelog", None)
        world.act(lambda: world.start(first))
        while not first.seat.settled or len(first.tables[0].held()) < PARTITIONS:
            world.run(0.05)

    def _strange(self, kind: str, partition: int) -> None:
        world = self.now
        match kind:
            case "dispatched":
                world.tell(SCRIBE.dispatched(f"nobody{partition}", 1, "special"))
            case "garbage":
                world.kafka.append(TOPIC, partition, b"key", b"\xff{")
            case "marker":
                world.kafka.append_marker(partition)
            case "ahead" if world.oracle.given_up:
                task_id = sorted(world.oracle.given_up)[-1]
                world.tell(SCRIBE.dispatched(task_id, world.oracle.given_up[task_id] + 1 + partition, "special"))
            case "requeued":
                world.requeue(f"nobody{partition}", "request-0")
            case _ if world.oracle.accepted:
                task_id = sorted(world.oracle.accepted)[-1]
                world.accept(task_id, "SPECIAL", world.plans[task_id], 1)
