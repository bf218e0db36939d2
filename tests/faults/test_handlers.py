"""Handlers that end the process, eat its memory, ignore their end or shout: the task is told of, the others run on."""

import pytest

from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed, TaskFailedPermanently
from streamapp.domain.outcome import MAX_MESSAGE_BYTES
from tests.faults.arena import Arena
from tests.faults.judge import judge
from tests.faults.load.types import BLOCKING, DEADLY, DEADLY_ONCE, GREEDY, LATE, LEAVING, LOUD, SLOW, STUBBORN
from tests.support.waiting import until

EACH = 3
DEATHS = 4
"""Of a handler that kills every worker: once beside others, three times alone."""
TIMEOUT = "Timeout"
ERRORS = {
    LEAVING.name: "SystemExit",
    GREEDY.name: "MemoryError",
    LATE.name: TIMEOUT,
    STUBBORN.name: TIMEOUT,
    BLOCKING.name: None,  # it may have come to its end before anybody could look at the clock
    LOUD.name: "LoudError",
}


async def ended(ring: Arena, task_ids: list[str], seconds: float = 120.0) -> None:
    await until(lambda: all(ring.witness.ended(task_id) for task_id in task_ids), seconds, f"{task_ids} have ended")


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_handlers_that_misbehave_hurt_nobody_but_their_own_task(ring: Arena) -> None:
    given: dict[str, list[str]] = {}
    for name in ERRORS:
        async with ring.fault(f"handler {name}", "worker"):
            given[name] = [await ring.clients.submit(name) for _ in range(EACH)]
            await ended(ring, given[name])
    assert (await judge(ring)).findings == []
    failed = {fact.task_id: fact for fact in ring.witness.facts_of(TaskExecutionFailed)}
    for name, error in ERRORS.items():
        for task_id in given[name] if error else ():
            assert failed[task_id].error_type == error
            assert len(failed[task_id].message) <= MAX_MESSAGE_BYTES


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_handlers_that_take_their_worker_along(ring: Arena) -> None:
    """Once: the next worker runs it, alone. Always: three dead workers are an outcome, and nobody else is blamed.

    Least of all those that were beside it the first time, and wait to be alone in the worker that dies of it again.
    """
    async with ring.fault("handler ends the process once", "worker"):
        once = [await ring.clients.submit(DEADLY_ONCE.name) for _ in range(EACH)]
        await ended(ring, once)
    async with ring.fault("handler kills every worker", "worker"):
        always = [await ring.clients.submit(DEADLY.name) for _ in range(2)]
        await ended(ring, always, 240)
    only, other = ring.members.of("worker")
    async with ring.fault("handler kills the only worker while others wait", "worker"):
        await ring.members.hold(other)
        always.append(await ring.clients.submit(DEADLY.name))
        await until(lambda: ring.witness.started(always[-1]), 30, "it has started", every=0.05)
        beside = [await ring.clients.submit(SLOW.name) for _ in range(EACH)]
        deaths = ring.members.deaths[only.name]
        await ended(ring, [*always, *beside], 240)
        assert ring.members.deaths[only.name] == deaths + DEATHS
        ring.members.let(other)
    assert (await judge(ring)).findings == []
    completed = {fact.task_id for fact in ring.witness.facts_of(TaskExecutionCompleted)}
    given_up = {fact.task_id: fact for fact in ring.witness.facts_of(TaskFailedPermanently)}
    assert completed >= {*once, *beside}
    assert given_up.keys() >= set(always)
    innocent = set(ring.clients.told) - set(always)
    blamed = [task_id for task_id in innocent if "WorkersDied" in getattr(given_up.get(task_id), "reason", "")]
    assert blamed == []
