"""A TCP proxy on loopback whose network fails on request, while both ends live.

In: connections of clients. Out: their bytes to `host:port` and back, unless the network is told to cut, to refuse, to
hold or to delay them, each direction by itself (`UP` is from the client to the broker). A tap sits at the client's end
of the line: it sees what the client has sent, even if the network loses it, and what is about to reach the client, not
what the network keeps from it. Knows nothing of what bytes mean.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from tests.support.lanes import BOTH, DOWN, UP, Connection, Direction, Lane, Road

Sees: TypeAlias = Callable[[Direction, bytes], None]
"""Told every piece of one connection; an empty one is the end."""
Tap: TypeAlias = Callable[[int], Sees]
"""Called with the number of every new connection, counted from 1."""

STOP_SECONDS = 5.0


def blind(number: int) -> Sees:
    """The tap that looks at nothing."""
    return lambda direction, data: None


class Proxy:
    """Forwards to `host:port`, except for the connections with the numbers `refused`, counted from 1.

    Attributes: `port`, where clients find it; `taken`, how many connections have come so far.
    """

    def __init__(self, host: str, port: int, refused: range = range(0), *, own_port: int = 0, tap: Tap = blind) -> None:
        self._target = host, port
        self._refused = refused
        self._tap = tap
        self._roads: dict[Direction, Road] = {UP: Road(), DOWN: Road()}
        self._connections: set[Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._faults: list[BaseException] = []
        self.taken = 0
        self.port = own_port

    @property
    def open(self) -> int:
        """Connections there are now."""
        return len(self._connections)

    async def start(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Nobody listens any more, as far as new connections can tell; `start` takes them again."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> int:
        """Break every connection there is; new ones are taken. Returns how many there were."""
        cut = list(self._connections)
        for connection in cut:
            connection.cut()
        self._connections.clear()
        return len(cut)

    def cut_after(self, count: int, *directions: Direction) -> int:
        """Break every connection there is once `count` more bytes have passed, be it in the middle of something.

        Without `directions` it is whichever has passed them first. Returns how many connections there are.
        """
        for connection in self._connections:
            for direction in directions or BOTH:
                connection.lanes[direction].allowance = count
        return len(self._connections)

    def hold(self, *directions: Direction) -> None:
        """Let nothing pass, nor the news that somebody has hung up: a black hole. Without `directions` both ways."""
        for direction in directions or BOTH:
            self._roads[direction].free.clear()

    def delay(self, seconds: float, *directions: Direction) -> None:
        """Let everything take so much longer, from now on. Without `directions` both ways."""
        for direction in directions or BOTH:
            self._roads[direction].delay_seconds = seconds

    def resume(self) -> None:
        """Hold and delay nothing any more, and cut nobody who was to be cut. What was held arrives."""
        for connection in self._connections:
            for lane in connection.lanes.values():
                lane.allowance = None
        for road in self._roads.values():
            road.delay_seconds = 0.0
            road.free.set()

    async def stop(self) -> None:
        """Break everything, and take nothing any more.

        Raises:
            Exception: the first fault of the tap, or of the proxy itself; it has ended its connection.
        """
        self.refuse()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving, timeout=STOP_SECONDS)
        for late in self._serving:
            late.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for fault in self._faults:
            raise fault

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._served)

    def _served(self, serving: asyncio.Task[None]) -> None:
        self._serving.discard(serving)
        fault = None if serving.cancelled() else serving.exception()
        if fault is not None:
            self._faults.append(fault)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        number = self.taken
        try:
            if number in self._refused:
                return
            try:
                far_reader, far_writer = await asyncio.open_connection(*self._target)
            except OSError:
                return  # the broker is away: the client is hung up on
            sees = self._tap(number)
            up = Lane(self._roads[UP], reader, far_writer, taken=lambda data: sees(UP, data))
            down = Lane(self._roads[DOWN], far_reader, writer, given=lambda data: sees(DOWN, data))
            await self._carry(Connection({UP: up, DOWN: down}, (writer, far_writer)))
        finally:
            writer.close()

    async def _carry(self, connection: Connection) -> None:
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)


@asynccontextmanager
async def proxied(host: str, port: int, refused: range = range(0)) -> AsyncIterator[Proxy]:
    """A proxy for the length of the block."""
    proxy = Proxy(host, port, refused)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
