"""What is folded is stored a little later: cut at one batch through all tables, in their order, once per key."""

import asyncio
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from streamapp.stream.table import NotHeld
from streamapp.stream.unstored import ABSENT, Unstored
from streamapp.stream.write_behind import MOST_BYTES, WriteBehind

PARTITION = 3
TWO_PASSES = [("first", 1), ("second", 1), ("first", 2), ("second", 2)]
"""Each through both tables before the next one is taken."""
PUTS = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from([b"a", b"b", b"c"]), st.none() | st.binary(max_size=2)),
        st.sampled_from(["take", "done"]),
    )
)


@given(PUTS)
def test_readers_see_every_put_and_the_store_gets_it_in_order(steps: list[dict[bytes, bytes | None] | str]) -> None:
    unstored, store, seen = Unstored(), dict[bytes, bytes | None](), dict[bytes, bytes | None]()
    applied = 0
    for step in [*steps, "done", "take", "done"]:
        if step == "take":
            if unstored.passing is None:
                unstored.take()
        elif step == "done":
            if unstored.passing is not None:
                store |= unstored.passing.rows
                assert unstored.passing.applied <= applied
            unstored.done()
        else:
            assert not isinstance(step, str)
            applied += 1
            unstored.put(step, applied)
            seen |= step
        for key in (b"a", b"b", b"c"):
            found = unstored.get(key)
            assert (store.get(key) if found is ABSENT else found) == seen.get(key)
        assert store | unstored.rows() == seen
    assert unstored.empty
    assert unstored.size == 0


class Table:
    """A table of one partition. `gate` shuts the way to the store; `errors` are raised there first."""

    def __init__(self, passes: list[tuple[str, dict[bytes, bytes | None], int]], name: str) -> None:
        self._passes, self._name = passes, name
        self._rows = Unstored()
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors: list[Exception] = []

    def put(self, puts: Mapping[bytes, bytes | None], applied: int) -> None:
        self._rows.put(puts, applied)

    @property
    def unstored_bytes(self) -> int:
        return self._rows.size

    def unstored(self) -> list[int]:
        return [] if self._rows.empty else [PARTITION]

    def passing(self, _: int) -> bool:
        return self._rows.passing is not None

    def take(self, _: int) -> None:
        self._rows.take()

    async def store(self, _: int) -> None:
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop()
        if self._rows.passing is not None:
            self._passes.append((self._name, *self._rows.passing))
            self._rows.done()

    def drop(self) -> None:
        self._rows = Unstored()


class Agent:
    """Folds batches into two tables."""

    def __init__(self, seconds: float) -> None:
        self.passes: list[tuple[str, dict[bytes, bytes | None], int]] = []
        self.first, self.second = Table(self.passes, "first"), Table(self.passes, "second")
        self.behind = WriteBehind("agent", [self.first, self.second], seconds)  # type: ignore[list-item]
        self.applied = 0

    async def fold(self, value: bytes) -> None:
        self.applied += 1
        for table in (self.first, self.second):
            table.put({b"key": value}, self.applied)
        await self.behind.folded()


async def test_many_batches_are_one_pass() -> None:
    agent = Agent(seconds=0.02)
    for value in (b"1", b"2", b"3"):
        await agent.fold(value)
    assert agent.passes == []
    await asyncio.sleep(0.1)
    assert agent.passes == [("first", {b"key": b"3"}, 3), ("second", {b"key": b"3"}, 3)]


async def test_closing_stores_what_waits_at_once() -> None:
    agent = Agent(seconds=60)
    await agent.fold(b"1")
    await agent.behind.close()
    assert agent.passes == [("first", {b"key": b"1"}, 1), ("second", {b"key": b"1"}, 1)]
    await agent.behind.close()


async def test_closing_gives_up_what_cannot_be_stored_in_time() -> None:
    agent = Agent(seconds=0.01)
    agent.second.gate.clear()
    await agent.fold(b"1")
    await agent.behind.close(0.05)
    agent.second.gate.set()
    await asyncio.sleep(0.05)
    assert agent.passes == [("first", {b"key": b"1"}, 1)]


async def test_pass_is_cut_through_all_tables_at_one_batch() -> None:
    agent = Agent(seconds=0.01)
    agent.first.gate.clear()
    await agent.fold(b"1")
    await asyncio.sleep(0.05)
    await agent.fold(b"2")
    agent.first.gate.set()
    await agent.behind.close()
    assert agent.passes == [
        ("first", {b"key": b"1"}, 1),
        ("second", {b"key": b"1"}, 1),
        ("first", {b"key": b"2"}, 2),
        ("second", {b"key": b"2"}, 2),
    ]


async def test_pass_that_breaks_off_goes_on_with_the_tables_that_lack_it() -> None:
    agent = Agent(seconds=0.01)
    agent.second.errors = [OSError("no")]
    await agent.fold(b"1")
    await asyncio.sleep(0.05)
    await agent.fold(b"2")
    await agent.behind.close()
    assert [(name, applied) for name, _, applied in agent.passes] == TWO_PASSES


async def test_what_was_taken_away_is_stored_no_more() -> None:
    agent = Agent(seconds=0.01)
    agent.first.errors = [NotHeld("gone")]
    await agent.fold(b"1")
    agent.first.drop(), agent.second.drop()
    await agent.behind.close()
    assert agent.passes == []


async def test_folding_waits_while_too_much_waits() -> None:
    agent = Agent(seconds=60)
    agent.first.gate.clear()
    much = bytes(MOST_BYTES + 1)
    await asyncio.wait_for(agent.fold(much), 5)  # the pass that it is taken for leaves room
    folding = asyncio.create_task(agent.fold(much))
    await asyncio.sleep(0.05)
    assert not folding.done()
    agent.first.gate.set()
    await asyncio.wait_for(folding, 5)
    await agent.behind.close()
    assert [(name, applied) for name, _, applied in agent.passes] == TWO_PASSES
