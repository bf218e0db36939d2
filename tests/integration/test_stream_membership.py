"""Two processes of all roles that join and leave under load: nothing is lost, little is done twice, nothing hangs."""

import itertools
from collections.abc import AsyncIterator

import pytest

from tests.support.brokers import RunningBrokers
from tests.support.lived import Lived, lived
from tests.support.stack import PARTITIONS, RoleProcess
from tests.support.traffic import Traffic
from tests.support.waiting import until

WINDOW = 20
REBALANCES = 4


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    folder = tmp_path_factory.mktemp("membership")
    settings = {"DISPATCH__LOST_AFTER_SECONDS": "86400", "DISPATCH__WINDOW": str(WINDOW)}
    async with lived(brokers_stack.endpoints, folder, **settings) as made:
        yield made


async def _shares(*processes: RoleProcess) -> None:
    """Wait until the partitions are shared out between these processes, and all are held."""

    async def shared() -> bool:
        answers = [await process.get("/readyz") for process in processes]
        held = [answer["partitions"]["tasks"] for status, answer in answers if status == 200]
        return len(held) == len(processes) and all(held) and sorted(itertools.chain(*held)) == list(range(PARTITIONS))

    await until(shared, 40, "partitions are shared out")


@pytest.mark.long
async def test_processes_join_and_leave_under_load(life: Lived) -> None:
    first = await life.made.started("all", "first")
    async with life.pouring(Traffic(2, "member")):
        await life.busy()
        second = await life.made.started("all", "second")
        await _shares(first, second)
        await life.busy()
        assert first.stop() == 0
        await _shares(second)
        await life.busy()
        first_again = await life.made.started("all", "first")
        await _shares(first_again, second)
        await life.busy()
    await life.calm()
    held = {}
    for process in (first_again, second):
        _, answer = await process.get("/readyz")
        held[process] = answer["partitions"]["tasks"]
    await _folded(life, first_again, second)
    assert [process.stop() for process in held] == [0, 0]
    for process, partitions in held.items():
        assert await life.odd_rows(life.made.tables(process.name), partitions=partitions) == []
    assert [process.troubles() for process in (first, first_again, second)] == [[], [], []]
    repeated = life.tap.ids.total() - len(life.tap.ids)
    assert repeated <= REBALANCES * WINDOW


async def _folded(life: Lived, *processes: RoleProcess) -> None:
    async def caught_up() -> bool:
        lag: dict[str, int] = {}
        for process in processes:
            _, answer = await process.get("/v1/lag")
            lag |= answer["lag"]
        return len(lag) == PARTITIONS and not any(lag.values())

    await until(caught_up, 30, "everything is folded")
