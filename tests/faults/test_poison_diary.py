"""Poison in the diary while traffic flows: named and passed over, or a fact like any other; nothing else happens."""

import asyncio
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

import pytest

from tests.faults.arena import Arena
from tests.faults.members import Member
from tests.faults.poison.broken_json import CANARY
from tests.faults.poison.diary import DiaryPoison
from tests.faults.poison.forged import Life
from tests.faults.poison.reporting import count_families
from tests.faults.poison.strangers import Place
from tests.faults.poison.verdict import judge_poisoned
from tests.support.stack import PARTITIONS
from tests.support.waiting import until

SEED = 20_261_124
FAULT = "poison in task-lifecycle"
IMPATIENT = {"DISPATCH__LOST_AFTER_SECONDS": "4"}
SKIPPED = "a record of the diary is no fact, skipped"
NAMED_PER_PARTITION = 100


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ring", [IMPATIENT], indirect=True)
async def test_poison_in_the_diary_under_traffic(ring: Arena) -> None:
    (diary,) = ring.members.of("diary")
    poison = DiaryPoison(ring, SEED)
    async with ring.fault(FAULT, "poison") as incident:
        async with asyncio.TaskGroup() as group:
            group.create_task(poison.put_bad_records(each=230, heavy=6))
            group.create_task(poison.put_transactions(rounds=12))
            group.create_task(poison.forge(each=12, few=3))
        await poison.put_compressed(good_each=20, bad_each=10)
        await poison.put_odd_tasks()
        await poison.forge_while_it_runs(each=3)
        await poison.put_again(0.1)
        incident.injected = poison.families.total()
    await poison.forged_have_ended(60)
    await poison.end_what_waits()
    await poison.close()
    count_families(ring, FAULT, poison.families)
    await ring.drained()
    wrongly_named = await _named(diary, poison)
    views = {life.task_id: await _view(diary, life.task_id) for life in poison.lives}
    unheard = [task_id for task_id in poison.aborted if await _view(diary, task_id) is not None]
    findings = await judge_poisoned(ring, poison.bad, poison.lives)
    assert "\n".join(findings[:20]) == ""
    assert unheard == []
    assert "\n".join([*wrongly_named, *_logged(diary, poison)][:20]) == ""
    assert [life.name for life in poison.lives if _hides(views[life.task_id], life)] == []
    assert ring.members.deaths.total() == 0
    troubles = {name: member.process.troubles() for name, member in ring.members.by_name.items()}
    assert troubles == {name: [] for name in troubles}
    assert not [name for name, member in ring.members.by_name.items() if CANARY in member.process.text()]


async def _view(diary: Member, task_id: str) -> dict[str, Any] | None:
    status, view = await diary.process.get(f"/v1/tasks/{quote(task_id, safe='')}")
    assert status in (200, 404), view
    return view if status == 200 else None


async def _named(diary: Member, poison: DiaryPoison) -> list[str]:
    """What the web view of unreadable records has wrong. It counts all, and names the latest of each partition."""

    async def counted() -> bool:
        _, totals = await diary.process.get("/v1/totals")
        return bool(totals["unreadable"] == len(poison.bad))

    await until(counted, 30, f"{len(poison.bad)} unreadable records are counted", every=0.3)
    _, answer = await diary.process.get("/v1/unreadable")
    found = {(item["partition"], item["offset"]): item["reason"] for item in answer["records"]}
    latest = {
        place
        for partition in range(PARTITIONS)
        for place in sorted(place for place in poison.bad if place[0] == partition)[-NAMED_PER_PARTITION:]
    }
    return _differences(found, poison, latest)


def _logged(diary: Member, poison: DiaryPoison) -> list[str]:
    """What the diary's log has wrong: every record is named there, with its place and a reason."""
    lines = diary.process.lines(SKIPPED, topic=poison.topic)
    found = {(line["partition"], line["offset"]): line["reason"] for line in lines}
    return _differences(found, poison, poison.bad.keys())


def _differences(found: dict[Place, str], poison: DiaryPoison, wanted: Collection[Place]) -> list[str]:
    missing = [f"{place}: {poison.bad[place].family} is not named" for place in sorted(wanted - found.keys())]
    strange = [f"{place} is named, and nobody put it there: {found[place]}" for place in found.keys() - set(wanted)]
    both = found.keys() & set(wanted)
    wrong = [
        f"{place}: {found[place]!r} does not name {poison.bad[place].names}"
        for place in both
        if not found[place] or poison.bad[place].names not in found[place]
    ]
    return missing + strange + wrong


def _hides(view: dict[str, Any] | None, life: Life) -> bool:
    """Whether the view of a forged life does not show what is odd about it."""
    shown = {(item["partition"], item["offset"]) for item in (view or {}).get("anomalies", ())}
    return not {life.places[index] for index in life.odd} <= shown
