"""After the faults comes peace: everything heals, traffic goes on, and everything must be drained."""

from tests.model.dispatcher import QUEUES
from tests.model.kafka import PARTITIONS, TOPIC
from tests.model.world import World

PATIENCE_SECONDS = 300
CANARY_SECONDS = 4


def heal(world: World) -> None:
    """No fault goes on, and all workers live. No rebalance comes to anybody's help."""
    world.kafka.fates.clear()
    world.rabbit.fates.clear()
    world.rabbit.alarmed = False
    world.step_brokers_clock(0)
    world.kafka.come_up()
    world.rabbit.come_up()
    for queue in QUEUES.values():
        world.rabbit.declare(queue)
    for machine in world.machines:
        machine.clock.skew_ms = 0
        if machine.life is not None:
            if not machine.life.dead:
                machine.life.fuse = machine.life.frost = None
            world.reconnect(machine)
    for worker in world.workers:
        worker.slow = False
        if worker.life is not None:
            worker.life.fuse = None
        if not worker.alive:
            worker.start()


def drain(world: World) -> None:
    """Let time pass until nothing is left to do. Then all that failed is requeued, and nothing is left to do again."""
    world.act(lambda: heal(world))
    _let_end(world)
    for task_id in sorted(world.oracle.given_up):
        world.act(lambda task_id=task_id: world.requeue(task_id, "in peace"))
    _let_end(world)
    for machine in world.machines:
        world.violations.extend(machine.odd_tables())


def _let_end(world: World) -> None:
    """What is left is a violation."""
    for number in range(PATIENCE_SECONDS):
        world.run(1.0)
        if world.violations or drained(world):
            break
        if not any(machine.alive for machine in world.machines):
            world.act(lambda: world.start(world.machines[0]))
        if number % CANARY_SECONDS == 0:
            world.act(lambda number=number: _canaries(world, number))
    else:
        world.violations.append(f"not drained: {world.oracle.unfinished()[:5]}, queues {world.rabbit.queues}")
    world.run(3.0)
    if not world.violations and (world.oracle.unfinished() or not world.rabbit.empty):
        world.violations.append("something began again after everything was drained")
    elif not world.violations and not drained(world):  # a fact that came late is still to be folded
        world.run(3.0)
        if not drained(world):
            world.violations.append("what came after everything was drained is not folded")


def drained(world: World) -> bool:
    """Whether every task has ended, every queue is empty, and every dispatcher has folded everything."""
    if world.oracle.unfinished() or not world.rabbit.empty:
        return False
    held = {
        partition: min(table.applied(partition) or 0 for table in machine.tables)
        for machine in world.machines
        if machine.member
        for partition in machine.tables[0].held()
        if machine.gates.is_open(partition)
    }
    ends = {partition: _last(world, partition) for partition in range(PARTITIONS)}
    return held.keys() == ends.keys() and all(held[partition] >= end for partition, end in ends.items())


def _last(world: World, partition: int) -> int:
    """Behind the last record that can be read."""
    rows = world.kafka.topic(TOPIC)[partition]
    return max((row.offset + 1 for row in rows if row is not None), default=0)


def _canaries(world: World, number: int) -> None:
    """New tasks on every queue: what was lost is found out when others overtake it."""
    if world.oracle.unfinished():
        for kind in QUEUES:
            world.accept(f"canary-{number}-{kind}", kind, [], 1)
