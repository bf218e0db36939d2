"""Somebody sets the clock of streamapp's machines an hour ahead, and an hour back: retries come when they are due."""

import asyncio
from pathlib import Path

import pytest

from streamapp.domain.facts import TaskDispatched, TaskRetryScheduled
from tests.faults.arena import ROLES, Arena, arena
from tests.faults.judge import judge
from tests.faults.load.ledger import ORIGIN, origin_ms
from tests.faults.wall_clock import WallClock
from tests.support.brokers import RunningBrokers

HOUR = 3_600
RATE = 10.0
"""Tasks a second: asking libfaketime for the time costs ten times what asking the kernel does."""
WRONG_SECONDS = 8.0
LATE_MS = 15_000
"""A retry that is due is published within this time, whatever the clocks say."""


def lateness(ring: Arena) -> list[int]:
    """By how many milliseconds of the broker's time each retry was dispatched after it was due."""
    due = {(fact.task_id, fact.attempt): fact.not_before for fact in ring.witness.facts_of(TaskRetryScheduled)}
    found = []
    for task_id, task in ring.witness.tasks.items():
        for entry in task.history:
            place = (task_id, entry.attempt)
            if entry.fact == TaskDispatched.NAME and place in due:
                found.append(entry.at - due.pop(place))
    return found


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_wall_clock_is_set_an_hour_ahead_and_an_hour_back(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    async with arena(brokers_stack, tmp_path / "clock") as ring:
        clock = WallClock(tmp_path / "offset")
        ring.made.surroundings.update({**clock.environment, ORIGIN: origin_ms()})
        await ring.start(dict(ROLES))
        ring.pour(RATE)
        await ring.busy()
        for hours in (1, -1):
            async with ring.fault(f"wall clock set by {hours:+d} h, and back", "all"):
                clock.step(hours * HOUR)
                await asyncio.sleep(WRONG_SECONDS)
                clock.step(0)
        async with ring.fault("roles restarted with a wall clock an hour ahead", "all"):
            clock.step(HOUR)
            for member in ring.members.by_name.values():
                ring.kill(member)
            await asyncio.sleep(WRONG_SECONDS)
            clock.step(0)
            await ring.busy()  # the first job of a dispatch that began so tells a wrong time
        verdict = await judge(ring)
        assert verdict.findings == []
        late = lateness(ring)
        assert len(late) > 20
        assert min(late) >= 0
        assert max(late) <= LATE_MS
