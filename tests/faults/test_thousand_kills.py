"""A thousand deaths: rounds of SIGKILL at every gap of every role, each round judged; the report adds them up.

`FAULTS_ROUNDS` says how many rounds (default 6). A round that was cut short can be run again: what was judged is kept.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamapp.failpoints import GAPS
from tests.faults.arena import ROLES, arena
from tests.faults.judge import judge
from tests.support.brokers import RunningBrokers

ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "6"))
KILLS = 170
"""Deaths of one round, at least."""
LATEST_PASSING = 6


def gaps_for_ever(role: str, dice: random.Random) -> Iterator[str]:
    """Every gap of a role in a random order, again and again, each at one of its first passings."""
    while True:
        for gap in dice.sample(GAPS[role], len(GAPS[role])):
            yield f"{gap}=kill@{dice.randint(1, LATEST_PASSING)}"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(ROUNDS))
async def test_every_role_dies_again_and_again(brokers_stack: RunningBrokers, tmp_path: Path, number: int) -> None:
    dice = random.Random(number)
    async with arena(brokers_stack, tmp_path / "kills", seed=number) as ring:
        await ring.start(dict(ROLES))
        ring.pour()
        await ring.busy()
        for member in ring.members.by_name.values():
            member.plan = gaps_for_ever(member.role, dice)
            ring.kill(member)
        once = {name: len(GAPS[member.role]) + 1 for name, member in ring.members.by_name.items()}
        await ring.until_killed(once, 600, total=KILLS)
        verdict = await judge(ring, seconds=150)
        assert verdict.findings == []
