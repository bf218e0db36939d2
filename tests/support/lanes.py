"""What is on its way through a proxy: one connection's two directions, each with its own delays, holds and end.

In: two pairs of streams. Out: the bytes of each at the other, when the road is free. Decides no fault by itself: see
`proxy`.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

Direction = Literal["up", "down"]
UP: Direction = "up"
"""From the client to the broker."""
DOWN: Direction = "down"
BOTH: tuple[Direction, ...] = (UP, DOWN)

CHUNK_BYTES = 65_536
CHUNKS = 64
"""So many pieces are on their way in one direction of a connection at most; then nothing more is read."""


class Road:
    """One direction as all connections find it: whether anything passes, and how long it takes."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.delay_seconds = 0.0

    async def travel(self, since: float) -> None:
        """Wait until what was read at `since` (the loop's time) may arrive."""
        if self.delay_seconds:
            await asyncio.sleep(max(since + self.delay_seconds - asyncio.get_running_loop().time(), 0))
        await self.free.wait()


def nobody(data: bytes) -> None:
    """Looks at nothing."""


class Lane:
    """One direction of one connection. It ends when it has passed on `allowance` bytes, if there is one.

    `taken` is told what was read, at once; `given` what is about to be written.
    """

    def __init__(
        self,
        road: Road,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        taken: Callable[[bytes], None] = nobody,
        given: Callable[[bytes], None] = nobody,
    ) -> None:
        self._road = road
        self._reader = reader
        self._writer = writer
        self._taken = taken
        self._given = given
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS)
        self.allowance: int | None = None

    async def take_in(self) -> None:
        """Read until the end, which is under way like everything else."""
        data = b"-"
        while data:
            try:
                data = await self._reader.read(CHUNK_BYTES)
            except OSError:
                data = b""
            self._taken(data)
            await self._under_way.put((asyncio.get_running_loop().time(), data))

    async def give_out(self) -> None:
        """Write until the end, or until the network ends it."""
        while True:
            since, data = await self._under_way.get()
            await self._road.travel(since)
            if self.allowance is not None:
                data, self.allowance = data[: self.allowance], max(self.allowance - len(data), 0)
            self._given(data)
            try:
                self._writer.write(data)
                await self._writer.drain()
            except OSError:
                return
            if not data or self.allowance == 0:
                return


class Connection:
    """One connection: a client's socket, the broker's, and what is on its way between them."""

    def __init__(self, lanes: dict[Direction, Lane], writers: tuple[asyncio.StreamWriter, ...]) -> None:
        self.lanes = lanes
        self._writers = writers
        self._cut = asyncio.Event()

    async def run(self) -> None:
        """Until one direction has ended: what it has brought is delivered, and the other one ends with it."""
        takers = {asyncio.create_task(lane.take_in()) for lane in self.lanes.values()}
        enders = {asyncio.create_task(lane.give_out()) for lane in self.lanes.values()}
        enders.add(asyncio.create_task(self._is_cut()))
        pending = takers | enders
        try:
            while pending >= enders:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            for writer in self._writers:
                writer.close()

    def cut(self) -> None:
        """Break it. What was under way is lost."""
        for writer in self._writers:
            writer.transport.abort()
        self._cut.set()

    async def _is_cut(self) -> None:
        await self._cut.wait()
