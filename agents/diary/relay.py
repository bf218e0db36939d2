"""The events of the other diary processes, passed on to one who watches here.

In: which processes there are, and the last place seen of each partition. Out: their events, gaps and skipped counts,
in the watcher's queue, and where their partitions stand that have told nothing yet. A process that goes away is left,
one that comes is joined; what both tell is sorted out by places.
"""

import asyncio
from typing import Any, NamedTuple

from aiohttp import ClientError, ClientTimeout

from agents.diary.event_ids import read_id, write_places
from agents.diary.events import Gap, Watcher
from agents.diary.owners import Owners
from streamapp.telemetry import describe, get_log
from streamapp.wire import json

PATH = "/v1/events/stream?process=only"
PATIENCE = ClientTimeout(total=None, sock_connect=5, sock_read=40)
LOOK_SECONDS = 1.0

log = get_log(__name__)


class Relayed(NamedTuple):
    """An event as another process has told it."""

    partition: int
    offset: int
    body: bytes

    def data(self) -> bytes:
        """The event as JSON."""
        return self.body


class Relay:
    """Reads from every other process, and keeps up with who they are. `seen` is what the watcher was sent so far.

    Where a partition stands that is not in it yet is noted there.
    """

    def __init__(self, owners: Owners, watcher: Watcher, seen: dict[int, int]) -> None:
        self._owners = owners
        self._watcher = watcher
        self._seen = seen
        self._readers: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                others = set(self._owners.others())
                for url, reader in list(self._readers.items()):
                    if url not in others or reader.done():
                        reader.cancel()
                        del self._readers[url]
                for url in others - set(self._readers):
                    self._readers[url] = asyncio.create_task(self._read(url))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for reader in self._readers.values():
                reader.cancel()
            await asyncio.gather(*self._readers.values(), return_exceptions=True)

    async def _read(self, url: str) -> None:
        """Read from one process until it ends or breaks off; then it is tried again."""
        places = write_places(self._seen)
        headers = {"Last-Event-ID": places} if places else {}
        try:
            async with self._owners.session.get(f"{url}{PATH}", headers=headers, timeout=PATIENCE) as response:
                response.raise_for_status()
                kind, standing = "", b""
                async for line in response.content:
                    name, _, value = line.rstrip(b"\n").partition(b": ")
                    if name == b"id":
                        standing = value
                    elif name == b"event":
                        kind, standing = value.decode(), b""
                    elif name == b"data":
                        self._pass_on(kind, value)
                    elif standing:  # an id without an event
                        for partition, offset in read_id(standing.decode()).items():
                            self._seen.setdefault(partition, offset)
                        standing = b""
        except (ClientError, TimeoutError, ValueError) as error:
            log.warning("the events of another diary process break off", url=url, error=describe(error))

    def _pass_on(self, kind: str, body: bytes) -> None:
        view: dict[str, Any] = json.parse(body)
        match kind:
            case "fact":
                self._watcher.push([Relayed(view["partition"], view["offset"], body)])
            case "gap":
                self._watcher.gaps.append(Gap(view["partition"], view["from"], view["to"]))
            case _:
                self._watcher.miss(view["count"])
