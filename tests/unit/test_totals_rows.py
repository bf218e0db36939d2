"""The rows of the table `totals`: the same bytes for the same facts, however they come and whatever breaks off."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.diary.agent import Diary
from streamapp.domain.facts import Recorded
from streamapp.replay.expected import PartitionFold
from streamapp.stream.batch import Record, RecordBatch
from streamapp.wire import facts as wire
from tables.tasks import Tasks
from tables.totals import KEY, PartitionTotals
from tests.support.facts import partitions
from tests.support.story import START, Story

PARTITION = 0


class Broken(Exception):
    """Kafka is away for good, or the process dies."""


class MemoryTable:
    """One partition of a `BatchTable`, in memory. Fails when told to, before anything is stored."""

    name = "memory"

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.next = 0
        self.fails = False
        self.put: list[bytes] = []

    def applied(self, partition: int) -> int | None:
        return self.next if partition == PARTITION else None

    def held(self) -> tuple[int, ...]:
        return (PARTITION,)

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted(self.rows.items()))

    async def write(self, partition: int, puts: Mapping[bytes, bytes | None], applied: int) -> None:
        if self.fails:
            raise Broken
        self.put = list(puts)
        for key, value in puts.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.next = applied


def records_of(facts: list[Recorded]) -> list[Record]:
    found = []
    for recorded in facts:
        key, value = wire.encode(recorded.fact)
        found.append(Record(recorded.offset, key, value, recorded.at))
    return found


def batch(records: list[Record], start: int, end: int) -> RecordBatch:
    return RecordBatch("facts", PARTITION, start, end, records)


def diary_over(tasks: MemoryTable, totals: MemoryTable) -> Diary:
    return Diary("facts", Tasks(tasks), PartitionTotals(totals))  # type: ignore[arg-type]


@given(partitions(), st.data())
def test_rows_are_those_of_a_plain_fold_whatever_breaks_off(facts, data):
    """Batches of any size; a batch fails at either table; the process goes on, or another one begins."""
    records = records_of(facts)
    tasks, totals = MemoryTable(), MemoryTable()
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
            broken.fails = True
            with pytest.raises(Broken):
                asyncio.run(diary.fold(one))
            broken.fails = False
        if data.draw(st.booleans()):
            diary = diary_over(tasks, totals)
    plain = PartitionFold()
    plain.tell(records)
    assert totals.rows == dict(plain.rows("totals"))
    assert tasks.rows == dict(plain.rows("tasks"))


def test_only_rows_that_have_changed_are_written() -> None:
    story = Story()
    for step in (story.accepted, story.dispatched, story.started, story.failed, story.retry_scheduled):
        step()
    tasks, totals = MemoryTable(), MemoryTable()
    diary = diary_over(tasks, totals)
    written = []
    for number, record in enumerate(records_of(story.facts)):
        asyncio.run(diary.fold(batch([record], number, number + 1)))
        written.append(sorted(totals.put))
    minute = b"minute:%d" % (START // 60_000)
    assert written == [
        [minute, KEY],
        [minute, KEY, b"type:EMAIL"],
        [minute, KEY, b"worker:w1"],
        [b"failure:EMAIL\0Boom", minute, KEY, b"type:EMAIL", b"worker:w1"],
        [minute, KEY],
    ]
