"""The fold of dispatch over its two tables: what has failed for good is opened again, whatever dies in between."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.dispatch import Dispatch
from streamapp.domain.facts import Recorded
from streamapp.domain.outbox import Closed, Open
from streamapp.domain.progress import State
from streamapp.replay.expected import PartitionFold
from streamapp.stream.batch import Record, RecordBatch
from streamapp.stream.horizon import Gates
from streamapp.wire import facts
from tables import dedup as dedup_table
from tables import pending as pending_table
from tables.dedup import Dedup
from tables.pending import Pending
from tests.support.facts import partitions
from tests.support.story import Story

TOPIC = "task-lifecycle"
KEY = b"task-1"


class Died(Exception):
    """The process ended before this table was written."""


class Rows:
    """A table whose rows and applied offset are written at once, or not at all."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.next = 0
        self.dies = False

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def applied(self, partition: int) -> int:
        return self.next

    def put(self, partition: int, puts: Mapping[bytes, bytes | None], applied: int) -> None:
        if self.dies:
            self.dies = False
            raise Died
        for key, value in puts.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.next = applied


class Pump:
    """Hears of what was folded."""

    def __init__(self) -> None:
        self.heard: dict[bytes, Any] = {}

    def moved_on(self, started: Any) -> None:
        return

    def changed(self, partition: int, memories: Mapping[bytes, Any]) -> None:
        self.heard.update(memories)

    async def open(self, partition: int) -> int:
        return 0


class Life:
    """A dispatcher that folds into these tables, with its gate open."""

    def __init__(self, pending: Rows, dedup: Rows) -> None:
        self.pump, gates = Pump(), Gates()
        gates.capture({0: 0}, {0: 0})
        tables: Any = pending, dedup
        pump: Any = self.pump
        probe: Any = None
        self.dispatch = Dispatch(TOPIC, Pending(tables[0]), Dedup(tables[1]), gates, probe, pump)

    async def fold(self, told: Iterable[Recorded], end: int | None = None) -> None:
        records = [as_record(item) for item in told]
        if records:
            last = records[-1].offset + 1 if end is None else end
            await self.dispatch.fold(RecordBatch(TOPIC, 0, records[0].offset, last, records))


def as_record(told: Recorded) -> Record:
    key, value = facts.encode(told.fact)
    return Record(told.offset, key, value, told.at)


def given_up() -> Story:
    story = Story()
    story.accepted({"n": 1})
    story.dispatched()
    story.started()
    story.failed(retryable=False)
    story.failed_permanently()
    return story


def expected(told: Iterable[Recorded]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    fold = PartitionFold()
    fold.tell(as_record(item) for item in told)
    return dict(fold.rows(pending_table.NAME)), dict(fold.rows(dedup_table.NAME))


async def test_what_is_requeued_is_open_again_and_its_closed_row_stays() -> None:
    pending, dedup = Rows(), Rows()
    story = given_up()
    life = Life(pending, dedup)
    await life.fold(story.facts)
    assert (list(pending.rows), list(dedup.rows)) == ([], [KEY])
    closed = dedup.rows[KEY]
    story.requeued()
    await life.fold(story.facts[-1:])
    assert isinstance(life.pump.heard[KEY], Open)
    assert (list(pending.rows), dedup.rows[KEY]) == ([KEY], closed)
    story.dispatched(2)
    story.started(2)
    await life.fold(story.facts[-2:])
    memory = life.pump.heard[KEY]
    assert isinstance(memory, Open)
    assert (memory.progress.state, memory.progress.attempt, memory.payload) == (State.RUNNING, 2, {"n": 1})
    story.completed(2)
    await life.fold(story.facts[-1:])
    assert life.pump.heard[KEY] == Closed(8, story.facts[0].fact.id, State.COMPLETED)
    assert (list(pending.rows), list(dedup.rows)) == ([], [KEY])


@pytest.mark.parametrize("table", ["pending", "dedup"])
@pytest.mark.parametrize("batch", [1, 2, 3, 20])
async def test_a_death_between_the_two_tables_loses_nothing(table: str, batch: int) -> None:
    """At every batch, before either table is written: the next process folds from the lower applied offset."""
    story = given_up()
    story.requeued()
    story.dispatched(2)
    story.started(2)
    story.failed(2, retryable=False)
    story.failed_permanently(2)
    story.requeued("r2")
    told = story.facts
    for death in range(0, len(told), batch):
        pending, dedup = Rows(), Rows()
        life = Life(pending, dedup)
        for start in range(0, len(told), batch):
            if start == death:
                {"pending": pending, "dedup": dedup}[table].dies = True
                with pytest.raises(Died):
                    await life.fold(told[start : start + batch])
                life = Life(pending, dedup)
            first = min(pending.next, dedup.next)
            await life.fold(item for item in told[: start + batch] if item.offset >= first)
        assert (pending.rows, dedup.rows) == expected(told)


@given(partitions(), st.lists(st.integers(1, 12), max_size=12), st.data())
async def test_tables_are_a_plain_fold_however_the_facts_are_batched_and_whoever_dies(told, sizes, data) -> None:
    pending, dedup = Rows(), Rows()
    life, place = Life(pending, dedup), 0
    for size in [*sizes, len(told)]:
        end = min(place + size, len(told))
        for dying in data.draw(st.sampled_from([(), (pending,), (dedup,)])):
            dying.dies = True
        first = min(pending.next, dedup.next)
        try:
            await life.fold(item for item in told[:end] if item.offset >= first)
        except Died:
            life = Life(pending, dedup)
            first = min(pending.next, dedup.next)
            await life.fold(item for item in told[:end] if item.offset >= first)
        pending.dies = dedup.dies = False
        assert (pending.rows, dedup.rows) == expected(told[:end])
        place = end


async def test_a_row_of_an_earlier_version_is_told_of_and_opens_nothing(caplog: pytest.LogCaptureFixture) -> None:
    pending, dedup = Rows(), Rows()
    story = given_up()
    dedup.rows[KEY] = b'{"offset":4,"accepted_id":"%s","state":"FAILED_PERMANENTLY"}' % story.facts[0].fact.id.encode()
    pending.next = dedup.next = 5
    story.requeued()
    life = Life(pending, dedup)
    await life.fold(story.facts[-1:])
    assert isinstance(life.pump.heard[KEY], Closed)
    assert pending.rows == {}
    assert caplog.text.count("cannot be requeued") == 1
    assert "streamapp replay dispatch --wipe" in caplog.text
    story.accepted({"n": 2})
    await life.fold(story.facts[-1:])
    assert caplog.text.count("cannot be requeued") == 1
    anew = Life(Rows(), Rows())
    await anew.fold(story.facts)
    assert isinstance(anew.pump.heard[KEY], Open)
