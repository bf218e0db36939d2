"""Stores what is folded a little later, many batches in one pass, and at once when much of it waits.

In: batches that were folded into the tables of one agent. Out: those tables stored, in the agent's order, every pass of
one partition cut at the same batch. Nothing is acted upon or shown later for it: readers see what is folded. What a
process takes with it when it dies is folded anew from the diary, since a table's stored offset goes with its rows
(`docs/decisions/0019-write-behind.md`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from streamapp.stream.disk import end_without_room, no_room
from streamapp.stream.table import BatchTable, NotHeld
from streamapp.telemetry import get_log

log = get_log(__name__)

MOST_BYTES = 3 * 1024 * 1024
"""With so much of one agent waiting, folding waits for the pass that is under way.

A pass has to fit into one record batch of a changelog (`docs/decisions/0003-offset-in-the-state.md`).
"""

CLOSE_SECONDS = 3.0
"""How long a rebalance, or the end of the process, waits for the last pass."""

MAX_PAUSE_SECONDS = 10.0


class WriteBehind:
    """The passes of one agent.

    Args:
        name: of the agent.
        tables: in the order in which a batch has to become durable.
        seconds: between two passes of a partition, about: so much has to be folded again after a crash.
    """

    def __init__(self, name: str, tables: Sequence[BatchTable], seconds: float) -> None:
        self._name = name
        self._tables = tables
        self._seconds = seconds
        self._running: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._taken = asyncio.Event()

    async def folded(self) -> None:
        """A batch was folded into the tables. Waits while too much waits to be stored."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name=f"passes of {self._name}")
        while self._size() > MOST_BYTES and not self._running.done():
            self._hurry.set()
            self._taken.clear()
            await self._taken.wait()

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Store what waits, if that can be done within `seconds`. Nothing may be folded meanwhile.

        What cannot be stored in time is given up: it is folded again by whoever holds the partition next.
        """
        if self._running is None or self._running.done():
            return
        self._hurry.set()
        await asyncio.wait({self._running}, timeout=seconds)
        if not self._running.done():
            log.warning("what was folded last could not be stored in time, and will be folded again", agent=self._name)
            self._running.cancel()
            await asyncio.wait({self._running})

    def _size(self) -> int:
        return sum(table.unstored_bytes for table in self._tables)

    def _unstored(self) -> set[int]:
        return {partition for table in self._tables for partition in table.unstored()}

    async def _run(self) -> None:
        try:
            while self._unstored():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        await self._hurry.wait()
                self._hurry.clear()
                partitions = self._unstored()
                for partition in partitions:
                    self._take(partition)
                self._taken.set()
                await asyncio.gather(*(self._store(partition) for partition in partitions))
        finally:
            self._taken.set()

    def _take(self, partition: int) -> None:
        # A pass that broke off goes on with the tables that lack it, before any of them takes what came later.
        if not any(table.passing(partition) for table in self._tables):
            for table in self._tables:
                table.take(partition)

    async def _store(self, partition: int) -> None:
        """One pass of a partition through all tables, tried again until it is done or the partition is taken away."""
        pause = 0.1
        while True:
            try:
                for table in self._tables:
                    await table.store(partition)
            except NotHeld:
                return
            except Exception as error:
                if no_room(error):
                    end_without_room(error)
                log.exception("tables could not be stored, trying again", agent=self._name, partition=partition)
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
            else:
                return
