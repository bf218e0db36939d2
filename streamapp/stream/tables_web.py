"""`GET /v1/tables…`: how far the tables held here are, their digests and their rows, for `streamapp verify` and replay.

In: questions over HTTP. Out: what this process holds, each partition seen at one moment, and which other processes hold
the rest. Digests and rows are streamed line by line, for a table may be large; the last line says that all was said.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from aiohttp import web

from streamapp.stream.digest import Look
from streamapp.stream.table import BatchTable, NotHeld
from streamapp.wire import json

LINES = "application/x-ndjson"
END = {"end": True}
"""The last line of an answer that was not cut off."""


class TablesWeb:
    """Answers from the tables of one app. One scan at a time: they are long, and facts have to be folded meanwhile."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._one_scan = asyncio.Lock()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The routes."""
        router.add_get("/v1/tables", self.tables)
        router.add_get("/v1/tables/digests", self.digests)
        router.add_get("/v1/tables/{table}/{partition}", self.rows)

    async def tables(self, _: web.Request) -> web.Response:
        """How far each partition held here is stored, and the URLs of all processes of this consumer group."""
        held = [{"table": table.name, "partition": p, "applied": table.stored(p)} for table, p in self._held()]
        body = {
            "group": self._app.conf.id,
            "settled": self._app.settled,
            "partitions": {table.name: table.partitions for table in self._app.batch_tables},
            "held": held,
            "processes": self._processes(),
        }
        return web.Response(body=json.dump(body), content_type="application/json")

    async def digests(self, request: web.Request) -> web.StreamResponse:
        """The digest of every partition held here with its applied offset, a line for each; `?table=` asks for some."""
        wanted = request.query.getall("table", [table.name for table in self._app.batch_tables])
        return await self._stream(request, self._digests(wanted))

    async def rows(self, request: web.Request) -> web.StreamResponse:
        """A line with the applied offset, then a line for each row in key order; keys and values in base64."""
        name, partition = request.match_info["table"], request.match_info["partition"]
        table = next((table for table in self._app.batch_tables if table.name == name), None)
        if table is None or not partition.isascii() or not partition.isdecimal() or int(partition) >= table.partitions:
            return _problem(404, "table-unknown", f"there is no table {name} with a partition {partition} in this role")
        try:
            look = Look(table, int(partition))
        except NotHeld as error:
            return _problem(503, "partition-elsewhere", str(error))
        return await self._stream(request, _rows(look))

    async def _digests(self, wanted: list[str]) -> AsyncIterator[dict[str, Any]]:
        for table, partition in [(table, held) for table, held in self._held() if table.name in wanted]:
            yield asdict(await Look(table, partition).digest())

    async def _stream(self, request: web.Request, lines: AsyncIterator[dict[str, Any]]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": LINES})
        async with self._one_scan:
            await response.prepare(request)
            try:
                async for line in lines:
                    await response.write(json.dump(line) + b"\n")
                await response.write(json.dump(END) + b"\n")
            except NotHeld as error:
                await response.write(json.dump({"error": str(error)}) + b"\n")
        await response.write_eof()
        return response

    def _held(self) -> list[tuple[BatchTable, int]]:
        return [(table, partition) for table in self._app.batch_tables for partition in table.held()]

    def _processes(self) -> list[str]:
        """Base URLs of the processes that hold a partition of one of the tables, as the group assigned them."""
        found = [self._app.router.table_metadata(table.name) for table in self._app.batch_tables]
        return sorted({str(url).rstrip("/") for metadata in found for url in metadata})


async def _rows(look: Look) -> AsyncIterator[dict[str, Any]]:
    yield {"applied": look.applied}
    async for rows in look.chunks():
        for key, value in rows:
            yield {"key": b64encode(key).decode(), "value": b64encode(value).decode()}


def _problem(status: int, slug: str, detail: str) -> web.Response:
    title = "Table unknown" if status == 404 else "Partition held elsewhere"
    body = json.dump({"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json")
