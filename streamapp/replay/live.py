"""The tables of running processes, asked over HTTP: who holds what, how far, digests, rows.

In: the URL of one process of each group at least; the others are found by asking it. Out: an answer about every
partition of every table, or an error that says which one nobody answers for.
"""

from base64 import b64decode
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout

from streamapp.domain.errors import Unavailable
from streamapp.stream.digest import PartitionDigest, Row
from streamapp.wire import json

TIMEOUT = ClientTimeout(total=None, sock_connect=5, sock_read=120)
Place = tuple[str, int]
"""Table and partition."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Where a partition of a table is held, and up to which offset it is folded there."""

    url: str
    applied: int


class LiveTables:
    """The tables of the processes at `urls` and of their groups. Enter it with `async with`.

    Raises:
        Unavailable: from every method, if a process does not answer or is not ready to.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(timeout=TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def holders(self) -> dict[Place, Holder]:
        """Who holds each partition of every table.

        Raises:
            Unavailable: a partition that nobody holds, or two do: a rebalance is under way.
        """
        holders: dict[Place, Holder] = {}
        partitions: dict[str, int] = {}
        asked, todo = set(), list(self._urls)
        while todo:
            url = todo.pop()
            if url in asked:
                continue
            asked.add(url)
            answer = await self._document(f"{url}/v1/tables")
            if not answer["settled"]:
                raise Unavailable(f"{url}: partitions are being assigned or tables restored; try again")
            partitions |= answer["partitions"]
            todo += answer["processes"]
            for held in answer["held"]:
                place = (held["table"], held["partition"])
                if place in holders:
                    raise Unavailable(f"{url} and {holders[place].url} both hold {place[0]}-{place[1]}; try again")
                holders[place] = Holder(url, held["applied"])
        for place in [(table, partition) for table, count in partitions.items() for partition in range(count)]:
            if place not in holders:
                raise Unavailable(f"nobody holds {place[0]}-{place[1]}: is every process of the role running?")
        return holders

    async def digests(self, tables: Iterable[str]) -> dict[Place, PartitionDigest]:
        """The digest of every partition of these tables, each at its own applied offset."""
        wanted = frozenset(tables)
        holders = {place: holder for place, holder in (await self.holders()).items() if place[0] in wanted}
        query = "&".join(f"table={table}" for table in sorted(wanted))
        found: dict[Place, PartitionDigest] = {}
        for url in sorted({holder.url for holder in holders.values()}):
            async for line in self._lines(f"{url}/v1/tables/digests?{query}"):
                digest = PartitionDigest(**line)
                found[digest.table, digest.partition] = digest
        if missing := holders.keys() - found.keys():
            raise Unavailable(f"{sorted(missing)} went elsewhere while digests were taken; try again")
        return found

    async def rows(self, url: str, table: str, partition: int) -> tuple[int, AsyncIterator[Row]]:
        """The applied offset of a partition, and its rows as of then, in key order."""
        lines = self._lines(f"{url}/v1/tables/{table}/{partition}")
        applied = int((await anext(lines))["applied"])
        return applied, _rows(lines)

    async def _document(self, url: str) -> Any:
        try:
            async with self._opened().get(url) as response:
                body = await response.read()
                if response.status != 200:
                    raise Unavailable(f"{url} answers {response.status}: {body[:200].decode(errors='replace')}")
                return json.parse(body)
        except (ClientError, TimeoutError, OSError, json.Malformed) as error:
            raise _unavailable(url, error) from error

    async def _lines(self, url: str) -> AsyncIterator[Any]:
        """The lines of an answer; an error if it was cut off."""
        try:
            async with self._opened().get(url) as response:
                if response.status != 200:
                    raise Unavailable(f"{url} answers {response.status}: {(await response.text())[:200]}")
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
                    for line in map(json.parse, lines):
                        if "error" in line:
                            raise Unavailable(f"{url}: {line['error']}; try again")
                        if line.get("end"):
                            return
                        yield line
        except (ClientError, TimeoutError, OSError, json.Malformed) as error:
            raise _unavailable(url, error) from error
        raise Unavailable(f"{url}: the answer was cut off; try again")

    def _opened(self) -> ClientSession:
        if self._session is None:
            raise RuntimeError("enter it with `async with` first")
        return self._session


async def _rows(lines: AsyncIterator[Any]) -> AsyncIterator[Row]:
    async for line in lines:
        yield b64decode(line["key"]), b64decode(line["value"])


def _unavailable(url: str, error: BaseException) -> Unavailable:
    return Unavailable(f"{url}: {type(error).__name__}: {error}. Is it running? `streamapp status` tells")
