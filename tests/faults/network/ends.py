"""Both ends of connections through a proxy: plain clients, and a server that accepts everybody and keeps all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.lanes import BOTH, UP, Direction
from tests.support.proxy import Proxy, Tap, blind
from tests.support.waiting import until

PATIENCE_SECONDS = 10.0


@dataclass
class End:
    """One end of a connection. `got` is what has arrived, `over` whether the other side has hung up."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    got: bytes = b""
    over: bool = False

    async def listen(self) -> None:
        while not self.over:
            try:
                data = await self.reader.read(1_000_000)
            except OSError:
                data = b""
            self.got += data
            self.over = not data
        self.writer.close()

    async def receives(self, data: bytes) -> None:
        await until(lambda: self.got == data, PATIENCE_SECONDS, f"{data[:50]!r} arrives")

    async def ends(self) -> None:
        await until(lambda: self.over, PATIENCE_SECONDS, "the other side hangs up")


@dataclass
class Pair:
    """A client's end and the server's end, with the proxy between them."""

    client: End
    server: End

    def sender(self, direction: Direction) -> End:
        return self.client if direction == UP else self.server

    def receiver(self, direction: Direction) -> End:
        return self.server if direction == UP else self.client


@dataclass
class Net:
    """A server that accepts, the proxy in front of it, and everybody who has come."""

    proxy: Proxy
    accepted: list[End]
    listening: list[asyncio.Task[None]] = field(default_factory=list)

    async def connect(self) -> Pair:
        before = len(self.accepted)
        client = End(*await asyncio.open_connection("127.0.0.1", self.proxy.port))
        self.listening.append(asyncio.create_task(client.listen()))
        await until(lambda: len(self.accepted) > before, PATIENCE_SECONDS, "the server has the connection")
        return Pair(client, self.accepted[-1])


@asynccontextmanager
async def network(tap: Tap = blind) -> AsyncIterator[Net]:
    accepted: list[End] = []
    listening: list[asyncio.Task[None]] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(End(reader, writer))
        listening.append(asyncio.create_task(accepted[-1].listen()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1], tap=tap)
    await proxy.start()
    net = Net(proxy, accepted, listening)
    try:
        yield net
    finally:
        try:
            await proxy.stop()
        finally:
            server.close()
            await asyncio.gather(*listening)


async def carries(pair: Pair) -> None:
    """Both directions work."""
    for direction in BOTH:
        sender, receiver = pair.sender(direction), pair.receiver(direction)
        want = receiver.got + b"works"
        sender.writer.write(b"works")
        await receiver.receives(want)
