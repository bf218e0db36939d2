"""Roles that are ended in good order, away for a while, or started in any order, while the load goes on."""

import asyncio
import itertools
from pathlib import Path

import aiohttp
import pytest

from streamapp.domain.facts import TaskAccepted, TaskExecutionStarted
from streamapp.settings.groups import WorkerSettings
from tests.faults.arena import GONE_IS_GONE, ROLES, Arena, arena
from tests.faults.judge import judge
from tests.faults.load.types import SLOW
from tests.support.brokers import RunningBrokers
from tests.support.stack import AnyRole
from tests.support.waiting import until

FARMED = 1_000
SAME = 50
SLOW_ONES = 40
"""More than two workers run at once and hold."""


async def post(ring: Arena, url: str, tasks: list[dict[str, object]]) -> list[int]:
    """Submit all of them at once; the statuses."""
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:

        async def one(task: dict[str, object]) -> int:
            async with session.post(f"{url}/v1/tasks", json=task) as response:
                await response.read()
                return response.status

        asked = [group.create_task(one(task)) for task in tasks]
    return [task.result() for task in asked]


async def in_hand(ring: Arena) -> None:
    """Every worker runs as many slow handlers as it can, and holds more jobs."""
    slow = [await ring.clients.submit(SLOW.name) for _ in range(SLOW_ONES)]
    slots = 2 * WorkerSettings().concurrency
    await until(lambda: sum(map(ring.witness.started, slow)) >= slots, 30, "the workers have their hands full")


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("ring", [GONE_IS_GONE], indirect=True)
async def test_every_role_is_ended_in_good_order_under_load(ring: Arena) -> None:
    """SIGTERM: nothing more is taken, what runs ends or is handed back, and the exit code is 0."""
    for member in list(ring.members.by_name.values()):
        async with ring.fault(f"SIGTERM of {member.role}", member.role):
            if member.role == "worker":
                await in_hand(ring)
            await ring.members.hold(member)
            assert member.process.process.returncode == 0
            assert bool(member.process.lines("handed back")) == (member.role == "worker")
            ring.members.let(member)
            await ring.members.ready()
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_dispatch_is_away_while_a_thousand_tasks_are_accepted(ring: Arena) -> None:
    """What was accepted while nobody looked is dispatched, though it lies below every horizon."""
    (dispatch,) = ring.members.of("dispatch")
    async with ring.fault("dispatch away while 1,000 tasks are accepted", "dispatch"):
        await ring.members.hold(dispatch, gracefully=False)
        while (missing := FARMED - len(ring.witness.open())) > 0:  # some are told to come again
            async with asyncio.TaskGroup() as group:
                for _ in range(missing):
                    group.create_task(ring.clients.submit("FAULT_OK"))
        ring.members.let(dispatch)
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_diary_is_away_and_catches_up(ring: Arena) -> None:
    (diary,) = ring.members.of("diary")
    async with ring.fault("diary away for 10 s", "diary"):
        await ring.members.hold(diary, gracefully=False)
        await ring.busy(completions=150)
        ring.members.let(diary)
        await ring.members.ready()
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_the_same_task_is_submitted_by_many_at_once(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    """Fifty requests with one id over two api processes, twice: one task, one execution."""
    async with arena(brokers_stack, tmp_path / "same") as ring:
        await ring.start({**ROLES, "api2": "api"})
        ring.pour()
        await ring.busy()
        urls = [member.process.url for member in ring.members.of("api")]
        assert len(urls) == 2
        task_id = "wanted-by-many"
        task: dict[str, object] = {"type": "FAULT_OK", "payload": {"note": "once"}, "taskId": task_id}
        async with ring.fault(f"{SAME} requests with one id over two apis", "api"):
            for _ in range(2):
                statuses = await asyncio.gather(*(post(ring, url, [task] * (SAME // 2)) for url in urls))
                assert set(itertools.chain(*statuses)) == {202}
                await until(lambda: ring.witness.ended(task_id), 30, "it has ended")
        ring.clients.note_accepted(task_id, task)
        assert (await judge(ring)).findings == []
        accepted = [fact for fact in ring.witness.facts_of(TaskAccepted) if fact.task_id == task_id]
        assert len({fact.id for fact in accepted}) == 1
        started = [fact for fact in ring.witness.facts_of(TaskExecutionStarted) if fact.task_id == task_id]
        assert len(started) == 1


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_roles_start_in_any_order(ring: Arena) -> None:
    """Everything is killed, and comes back in another order each time."""
    orders: list[list[str]] = [
        ["w1", "diary", "dispatch", "ingest", "api", "w2"],
        ["dispatch", "api", "w1", "w2", "ingest", "diary"],
        ["ingest", "w1", "diary", "api", "w2", "dispatch"],
        ["api", "ingest", "diary", "w2", "w1", "dispatch"],
    ]
    for order in orders:
        assert sorted(order) == sorted(ring.members.by_name)
        async with ring.fault("everything killed, and started in another order", "all"):
            for member in ring.members.by_name.values():
                await ring.members.hold(member, gracefully=False)
            for name in order:
                ring.members.let(ring.members.by_name[name])
                await asyncio.sleep(0.7)  # each has the time to find out who is not there yet
            await ring.members.ready()
    assert (await judge(ring)).findings == []


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_roles_start_before_their_brokers(ring: Arena) -> None:
    """All brokers and all roles are down; the roles come first, then one broker after the other. Nobody dies of it."""
    stack = ring.brokers.stack
    roles: list[AnyRole] = ["dispatch", "worker", "api", "ingest", "diary"]
    for first, second, third in itertools.islice(itertools.permutations(stack.brokers), 0, None, 2):
        async with ring.fault("everything down, and started before its brokers", "all"):
            for member in ring.members.by_name.values():
                await ring.members.hold(member, gracefully=False)
            await asyncio.gather(*(asyncio.to_thread(broker.stop) for broker in stack.brokers))
            for role in roles:
                for member in ring.members.of(role):
                    ring.members.let(member)
            for broker in (first, second, third):
                await asyncio.to_thread(broker.start)
            await ring.members.ready(90)
    assert (await judge(ring)).findings == []
    assert not ring.members.deaths
