"""SIGKILL at every gap between two writes, of every role: nothing is lost, nothing happens twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamapp.failpoints import GAPS
from tests.faults.arena import ROLES, arena
from tests.faults.judge import judge
from tests.support.brokers import RunningBrokers


def once_each(role: str) -> Iterator[str]:
    """Every gap of a role once, a few passings after the start; then none."""
    for gap in GAPS[role]:
        yield f"{gap}=kill@3"


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_every_role_is_killed_at_every_gap_once(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    async with arena(brokers_stack, tmp_path / "kills") as ring:
        await ring.start({**ROLES})
        ring.pour()
        await ring.busy()
        for member in ring.members.by_name.values():
            member.plan = once_each(member.role)
            ring.kill(member)
        want = {name: len(GAPS[member.role]) + 1 for name, member in ring.members.by_name.items()}
        await ring.until_killed(want, 150)
        verdict = await judge(ring)
        assert verdict.findings == []
        assert ring.members.deaths.total() >= sum(want.values())
