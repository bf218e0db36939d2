"""The rows of the table `totals`: the same bytes for the same facts, however they come and whatever breaks off."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.diary.agent import Diary
from streamapp.replay.expected import PartitionFold
from streamapp.stream.batch import Record, RecordBatch
from tables.tasks import Tasks
from tables.totals import KEY, PartitionTotals
from tests.support.facts import partitions
from tests.support.memory_diary import MemoryTable, records_of
from tests.support.story import START, Story

PARTITION = 0


class Broken(Exception):
    """Kafka is away for good, or the process dies."""


def table(name: str) -> MemoryTable:
    return MemoryTable(name, 1, [PARTITION])


def batch(records: list[Record], start: int, end: int) -> RecordBatch:
    return RecordBatch("facts", PARTITION, start, end, records)


def diary_over(tasks: MemoryTable, totals: MemoryTable) -> Diary:
    return Diary("facts", Tasks(tasks), PartitionTotals(totals))  # type: ignore[arg-type]


@given(partitions(), st.data())
def test_rows_are_those_of_a_plain_fold_whatever_breaks_off(facts, data):
    """Batches of any size; a batch fails at either table; the process goes on, or another one begins."""
    records = records_of(facts)
    tasks, totals = table("tasks"), table("totals")
    diary = diary_over(tasks, totals)
    done = 0
    while done < len(records):
        size = data.draw(st.integers(1, len(records) - done))
        one = batch(records[done : done + size], done, records[done + size - 1].offset + 1)
        broken = data.draw(st.sampled_from([None, None, tasks, totals]))
        if broken is None:
            asyncio.run(diary.fold(one))
            done += size
        else:
            broken.fails = Broken()
            with pytest.raises(Broken):
                asyncio.run(diary.fold(one))
            broken.fails = None
        if data.draw(st.booleans()):
            diary = diary_over(tasks, totals)
    plain = PartitionFold()
    plain.tell(records)
    assert totals.rows(PARTITION) == dict(plain.rows("totals"))
    assert tasks.rows(PARTITION) == dict(plain.rows("tasks"))


def test_only_rows_that_have_changed_are_written() -> None:
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.failed, story.retry_scheduled):
        step()
    tasks, totals = table("tasks"), table("totals")
    diary = diary_over(tasks, totals)
    written = []
    for number, record in enumerate(records_of(story.facts)):
        asyncio.run(diary.fold(batch([record], number, number + 1)))
        written.append(sorted(totals.changed))
    minute = b"minute:%d" % (START // 60_000)
    assert written == [
        [minute, KEY],
        [minute, KEY, b"type:EMAIL"],
        [minute, KEY, b"worker:w1"],
        [b"failure:EMAIL\0Boom", minute, KEY, b"type:EMAIL", b"worker:w1"],
        [minute, KEY],
    ]


def test_what_is_told_to_prometheus_never_falls_back_when_a_batch_breaks_off() -> None:
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.failed):
        step()
    records = records_of(story.facts)
    tasks, totals = table("tasks"), table("totals")
    diary = diary_over(tasks, totals)
    asyncio.run(diary.fold(batch(records[:2], 0, 2)))
    before = diary.totals.stored(PARTITION)
    assert before.totals.facts == {"TaskAccepted": 1, "TaskDispatched": 1}
    totals.fails = Broken()
    with pytest.raises(Broken):
        asyncio.run(diary.fold(batch(records[2:], 2, 4)))
    assert diary.totals.stored(PARTITION).rows() == before.rows()
    assert diary.totals.stored(PARTITION).totals == before.totals
    totals.fails = None
    asyncio.run(diary.fold(batch(records[2:], 2, 4)))
    after = diary.totals.stored(PARTITION)
    assert after.failures == diary.totals.of(PARTITION).failures
    assert after.types == diary.totals.of(PARTITION).types
    assert after.totals == diary.totals.of(PARTITION).totals
    assert (after.minutes, after.workers) == ({}, {})


def test_what_is_told_to_prometheus_is_stored() -> None:
    """A process that is killed takes with it what is not stored, and a counter that falls is taken for a reset."""
    story = Story()
    for step in (story.accepted, story.dispatched):
        step()
    records = records_of(story.facts)
    totals = table("totals")
    diary = diary_over(table("tasks"), totals)
    asyncio.run(diary.fold(batch(records[:1], 0, 1)))
    totals.late = True
    asyncio.run(diary.fold(batch(records[1:], 1, 2)))
    assert diary.totals.of(PARTITION).totals.facts == {"TaskAccepted": 1, "TaskDispatched": 1}
    assert diary.totals.stored(PARTITION).totals.facts == {"TaskAccepted": 1}
