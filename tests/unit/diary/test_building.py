"""An index built from rows is the index that folding everything had made, also while facts are folded meanwhile."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.diary import building
from agents.diary.building import Build, Harvest
from agents.diary.index import PartitionIndex
from agents.diary.selection import anomalies
from streamapp.domain.facts import Recorded
from streamapp.domain.task import fold
from streamapp.stream.table import NotHeld
from tables.tasks import encode
from tests.support.facts import partitions
from tests.support.memory_diary import LIMITS, Process, SetClock
from tests.support.story import START, Story

ROOM = 2


def picture(index: PartitionIndex) -> dict[str, object]:
    """Everything that lists can show of an index."""
    index.settle()
    return {
        "all": [summary.task_id for summary in index.all.before(None)],
        "states": {
            state: [summary.task_id for summary in found.before(None)]
            for state, found in sorted(index._marked["state"].items())
            if list(found.before(None))
        },
        "deadlines": {what: list(dues) for what, dues in index.deadlines.items()},
        "retrying": list(index.retrying),
        "anomalies": anomalies(index, None, 1000).entries,
        "applied": index.applied,
    }


async def folded(process: Process, facts: list[Recorded], sizes: list[int]) -> None:
    for size in [*sizes, len(facts)]:
        await process.fold(0, facts[:size])
        facts = facts[size:]


@settings(max_examples=80)
@given(partitions(), st.data())
def test_built_from_rows_while_facts_are_folded(facts, data):
    until = data.draw(st.integers(0, len(facts)))
    sizes = data.draw(st.lists(st.integers(1, 5), max_size=5))
    room = data.draw(st.sampled_from([1, 2, 1000]))

    async def run() -> tuple[PartitionIndex, PartitionIndex]:
        whole, parted = [Process(1, [0], SetClock(START)) for _ in range(2)]
        for process in (whole, parted):
            process.diary.indexes._ended = room
        await whole.diary.assigned({})
        await whole.diary.indexes._running
        await folded(whole, facts, sizes)

        await folded(parted, facts[:until], sizes)
        await parted.diary.assigned({})
        running = parted.diary.indexes._running
        assert parted.diary.indexes.building() == (0,)
        assert parted.diary.indexes.ready() == {}
        await folded(parted, facts[until:], sizes)
        await running
        return whole.diary.indexes.ready()[0], parted.diary.indexes.ready()[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.diary.indexes.MIN_ROOM", 1)
        one, other = asyncio.run(run())
    if room == 1000:
        for name, shown in picture(one).items():
            assert (name, shown) == (name, picture(other)[name])
    else:  # which of those that ended were left out on the way may differ; what is open may not
        assert picture(one)["deadlines"] == picture(other)["deadlines"]
        assert sum(one.left_out.values()) == 0 or sum(other.left_out.values()) >= 0


def test_index_is_kept_when_the_partition_was_not_folded_elsewhere():
    async def run() -> None:
        story = Story()
        story.accepted()
        process = Process(2, [0, 1], SetClock(START))
        await process.assign()
        await process.fold(0, story.facts)
        before = process.diary.indexes.ready()
        process.totals.next, process.tasks.next = {0: 1}, {0: 1}
        await process.diary.revoked()
        await process.assign()
        assert process.diary.indexes.ready() == {0: before[0]}
        process.totals.next, process.tasks.next = {0: 5, 1: 0}, {0: 5, 1: 0}  # another process has folded on
        await process.assign()
        after = process.diary.indexes.ready()
        assert after[0] is not before[0]
        assert [summary.task_id for summary in after[0].all.before(None)] == ["task-1"]

    asyncio.run(run())


def test_a_partition_that_goes_while_it_is_built_is_given_up():
    async def run() -> None:
        process = Process(1, [0], SetClock(START))
        story = Story()
        story.accepted()
        await process.fold(0, story.facts)
        build = Build(process.diary.tasks, 0, LIMITS, ROOM)
        del process.tasks.next[0]
        with pytest.raises(NotHeld):
            await build.run()

    asyncio.run(run())


def test_a_row_that_cannot_be_read_leaves_its_partition_missing_and_the_others_built():
    async def run() -> None:
        process = Process(2, [0, 1], SetClock(START))
        process.tasks.rows(0)[b"broken"] = b"{"
        await process.assign()
        assert list(process.diary.indexes.ready()) == [1]
        assert process.diary.indexes.building() == (0,)

    asyncio.run(run())


def rows_of(number: int, step: str) -> tuple[bytes, bytes]:
    story = Story(f"task-{number}")
    story.accepted()
    for name in ("dispatched", "started", step):
        getattr(story, name)()
    facts = [Recorded(fact.fact, 10 * number + fact.offset, fact.at) for fact in story.facts]
    task = fold(None, facts)
    assert task is not None
    return task.task_id.encode(), encode(task)


@given(st.permutations(range(12)))
def test_the_newest_that_ended_are_kept_whatever_the_order_of_rows(order):
    harvest = Harvest(LIMITS, room=3)
    for number in order:
        harvest.take([rows_of(number, "failed" if number % 4 == 0 else "completed")])
    kept = [summary.task_id for summary in harvest.sorted()]
    assert kept == ["task-0", "task-4", "task-8", "task-9", "task-10", "task-11"]
    assert harvest.left_out == {"COMPLETED": 6}


def test_anomalies_of_tasks_that_are_left_out_are_kept_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(building, "MAX_ANOMALIES", 4)
    harvest = Harvest(LIMITS, room=1)
    for number in range(12):
        story = Story(f"task-{number}")
        for step in (story.accepted, story.started, story.completed):
            step()
        story.started(claim=2)
        facts = [Recorded(fact.fact, 10 * number + fact.offset, fact.at) for fact in story.facts]
        task = fold(None, facts)
        assert task is not None
        harvest.take([(task.task_id.encode(), encode(task))])
    assert [summary.task_id for summary in harvest.sorted()] == ["task-11"]
    assert [odd.anomaly.offset for odd in harvest.odd] == [83, 93, 103, 113]
    assert harvest.odd_left_out
