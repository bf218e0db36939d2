"""Replay causes nothing: whatever is reset, wiped or lost, the views come back equal and not one thing happens."""

import itertools
from collections import Counter

import pytest

from tests.support.rocks import wipe
from tests.support.survivor import Survivor
from tests.support.traffic import Traffic

_numbers = itertools.count()


async def _start_and_see_that_nothing_happens(survivor: Survivor) -> str:
    """Start it, let it act on a new task in every partition, stop it: that is all that was acted on. What it logged.

    Whatever a replay sets off is due before the new tasks, so it would be in the tap and in the diary before them.
    """
    life = survivor.life
    published, ends = life.tap.ids, await life.kafka.ends(life.topic)
    process = await survivor.start()
    await process.gates_open()
    told = await life.canaries(Traffic(0, f"canary-{next(_numbers)}"))
    await life.calm()
    await survivor.rest(process)
    appended = sum((await life.kafka.ends(life.topic)).values()) - sum(ends.values())
    assert life.tap.ids - published == Counter(told)
    assert appended == 2 * len(told)  # accepted by the test and dispatched
    assert await life.odd_rows(life.made.tables("all")) == []
    assert (survivor.exit_status, survivor.troubles) == (0, [])
    return process.text()


async def _lose_changelogs(survivor: Survivor, *names: str) -> None:
    """Delete the changelog topics of some tables, or of all."""
    topics = await survivor.life.kafka.topics(survivor.life.group)
    changelogs = [topic for topic in topics if topic.endswith("-changelog")]
    assert len(changelogs) == 5
    lost = [topic for topic in changelogs if not names or topic.split("-")[-2] in names]
    await survivor.life.kafka.delete(lost)


async def test_consumer_group_reset_with_tables_kept(survivor: Survivor) -> None:
    """Back to the beginning and to the middle, and beyond facts that no table has seen: those may not be skipped."""
    life = survivor.life
    await life.kafka.tell(life.topic, Traffic(0, "unseen").finished(30))
    ends = await life.kafka.ends(life.topic)
    shares = {partition: (0.0, 0.5, 1.0)[partition % 3] for partition in ends}
    wanted = {(life.topic, partition): round(end * shares[partition]) for partition, end in ends.items()}
    await life.kafka.move_group(life.group, wanted)
    assert (await life.kafka.offsets(life.group)).items() >= wanted.items()
    await _start_and_see_that_nothing_happens(survivor)


async def test_consumer_group_reset_with_tables_and_changelogs_wiped(survivor: Survivor) -> None:
    life = survivor.life
    ends = await life.kafka.ends(life.topic)
    await _lose_changelogs(survivor)
    wipe(life.made.tables("all"))
    await life.kafka.move_group(life.group, {(life.topic, partition): 0 for partition in ends})
    await _start_and_see_that_nothing_happens(survivor)


async def test_local_tables_lost(survivor: Survivor) -> None:
    wipe(survivor.life.made.tables("all"))
    await _start_and_see_that_nothing_happens(survivor)


async def test_changelogs_lost_and_local_tables_kept(survivor: Survivor) -> None:
    await _lose_changelogs(survivor)
    await _start_and_see_that_nothing_happens(survivor)


@pytest.mark.parametrize("names", [("dedup", "tasks"), ("pending", "totals")], ids="+".join)
async def test_one_table_of_each_pair_lost(survivor: Survivor, names: tuple[str, ...]) -> None:
    """What the other one of the pair has applied already is no horizon for the lost one."""
    await _lose_changelogs(survivor, *names)
    wipe(survivor.life.made.tables("all"), *names)
    await _start_and_see_that_nothing_happens(survivor)
