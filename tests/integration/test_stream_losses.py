"""Changelogs lose what they had acknowledged while their writer lives on: deleted here, elsewhere by a power cut.

What the process has in its files stays whole; from the changelog alone nobody may make the table again.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamapp.stream.topics import changelog
from tests.support.brokers import RunningBrokers
from tests.support.lived import lived
from tests.support.rocks import DIARY, DISPATCH, wipe
from tests.support.stack import PARTITIONS
from tests.support.survivor import Survivor
from tests.support.traffic import Traffic

TABLES = DIARY + DISPATCH
LOST = "a changelog has lost rows"
ROUNDS = 20


async def lose_changelogs(survivor: Survivor) -> None:
    """The same topics once more, with nothing in them."""
    names = [f"{survivor.life.group}-{table}-changelog" for table in TABLES]
    await survivor.life.kafka.delete(names)
    for name in names:
        plan = changelog(name, PARTITIONS, 1)
        await survivor.life.kafka.create(name, PARTITIONS, {**plan.must, **plan.want})


async def changelog_ends(survivor: Survivor) -> dict[tuple[str, int], int]:
    """Where each partition of each changelog ends."""
    life = survivor.life
    return {
        (table, partition): end
        for table in TABLES
        for partition, end in (await life.kafka.ends(f"{life.group}-{table}-changelog")).items()
    }


@pytest.mark.timeout(240)
async def test_tables_are_not_restored_from_changelogs_that_lost_rows(survivor: Survivor) -> None:
    life = survivor.life
    process = await survivor.start()
    await process.gates_open()
    await lose_changelogs(survivor)
    for number in range(2):
        await life.canaries(Traffic(number, f"lost{number}"))
        await life.calm()
        await life.applied(process)
    await survivor.rest(process)
    assert len(process.lines(LOST)) == len(TABLES) * PARTITIONS
    assert await life.odd_rows(life.made.tables("all")) == []

    published = life.tap.ids
    process = await survivor.start()  # its own files are whole
    await process.gates_open()
    await survivor.rest(process)
    assert process.lines(LOST) == []
    for turn in range(2):  # a changelog that lost rows is never trusted again
        wipe(life.made.tables("all"))
        process = await survivor.start()
        await process.gates_open()
        await life.calm()
        await survivor.rest(process)
        assert len(process.lines(LOST)) == len(TABLES) * PARTITIONS, turn
        assert await life.odd_rows(life.made.tables("all")) == []
    assert life.tap.ids == published
    assert survivor.troubles == []


@pytest.fixture
async def newcomer(brokers_stack: RunningBrokers, tmp_path: Path) -> AsyncIterator[Survivor]:
    """Changelogs that are short at first."""
    async with lived(brokers_stack.endpoints, tmp_path, DISPATCH__LOST_AFTER_SECONDS="86400") as life:
        yield Survivor(life, [], 0)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_old_files_do_not_go_on_from_a_changelog_that_was_made_anew_and_is_longer(newcomer: Survivor) -> None:
    survivor, life = newcomer, newcomer.life
    process = await survivor.start()
    await process.gates_open()
    await life.canaries(Traffic(0, "before"))
    await life.calm()
    await survivor.rest(process)
    data = life.made.tables("all")
    kept = data.with_name("kept")
    shutil.copytree(data, kept)
    before = await changelog_ends(survivor)
    await lose_changelogs(survivor)
    wipe(data)
    process = await survivor.start()
    await process.gates_open()
    for number in range(1, ROUNDS):
        await life.canaries(Traffic(number, f"after{number}"))
        await life.calm()
        now = await changelog_ends(survivor)
        if all(now[place] > end for place, end in before.items()):
            break
    else:
        raise AssertionError(f"the changelogs are not longer than they were: {now} {before}")
    await survivor.rest(process)
    published = life.tap.ids

    shutil.rmtree(data)
    kept.rename(data)
    process = await survivor.start()
    await process.gates_open()
    await survivor.rest(process)
    assert process.lines("has something else where these files end") != []
    assert await life.odd_rows(data) == []
    assert life.tap.ids == published
    assert survivor.troubles == []
