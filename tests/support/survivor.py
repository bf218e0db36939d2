"""An installation of all roles that was killed again and again under load, then came to rest and was stopped.

Made once per test run, because that takes a minute; whoever starts it again leaves it stopped and at rest.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.support.brokers import RunningBrokers
from tests.support.lived import Lived, lived
from tests.support.stack import RoleProcess
from tests.support.traffic import Traffic

KILLS = 5
WINDOW = 20


@dataclass
class Survivor:
    """`troubles` is what its processes wrote that no role may write; `exit_status` that of the last one."""

    life: Lived
    troubles: list[str]
    exit_status: int

    async def start(self) -> RoleProcess:
        """Start it again."""
        return await self.life.made.started()

    async def rest(self, process: RoleProcess) -> None:
        """Let it fold everything, and stop it."""
        await self.life.applied(process)
        self.exit_status = process.stop()
        self.troubles = process.troubles()


@pytest.fixture(scope="session")
async def survivor(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Survivor]:
    """See the module."""
    folder = tmp_path_factory.mktemp("survivor")
    settings = {"DISPATCH__LOST_AFTER_SECONDS": "86400", "DISPATCH__WINDOW": str(WINDOW)}
    async with lived(brokers_stack.endpoints, folder, **settings) as life:
        process = await life.made.started()
        troubles = []
        async with life.pouring(Traffic(1, "life")):
            for _ in range(KILLS):
                await life.busy()
                process.kill()
                troubles += process.troubles()
                process = life.made.start()
            await life.busy()
        await life.calm()
        made = Survivor(life, [], 0)
        await made.rest(process)
        made.troubles += troubles
        yield made
