"""Reads the diary's server-sent events, and comes back with `Last-Event-ID` when it goes away.

In: settings, and the place behind which to begin. Out: facts, gaps and skipped counts in order, for ever.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader
from yarl import URL

from streamapp.cli import client
from streamapp.cli.views import Refused
from streamapp.domain.errors import Unavailable
from streamapp.settings import Settings

PATIENCE = ClientTimeout(total=None, sock_connect=5, sock_read=40)
"""The diary says something every 15 seconds."""

RETRY_SECONDS = 1.0


class Told(NamedTuple):
    """An event. `kind` is `fact`, `gap`, `skipped`, or `open`: connected, and what comes from now on is told."""

    kind: str
    data: dict[str, Any]
    id: str


OPEN = Told("open", {}, "")


async def follow(settings: Settings, notify: Callable[[str], None], last_id: str = "") -> AsyncGenerator[Told, None]:
    """Events behind `last_id`, or from now on. Does not end by itself.

    `notify` is told, in words, when the diary goes away and when it is back.

    Raises:
        Unavailable: the diary cannot be reached at the beginning.
        Refused: it answers with a problem then.
    """
    url, begun, away = URL(client.diary_url(settings, "/v1/events/stream"), encoded=True), False, False
    async with ClientSession(timeout=PATIENCE) as session:
        while True:
            try:
                async with session.get(url, headers={"Last-Event-ID": last_id} if last_id else {}) as response:
                    if response.status != 200:
                        raise Refused(response.status, json.loads(await response.read()))
                    if away:
                        notify(f"the diary is back; going on behind {last_id or 'now'}")
                    begun, away = True, False
                    yield OPEN
                    async for told in _events(response.content):
                        last_id = told.id or last_id
                        if told.kind:
                            yield told
                    reason = "it has ended the stream"
            except (ClientError, TimeoutError, ValueError, Refused) as error:
                if not begun:
                    raise _at_the_beginning(url, error) from error
                reason = str(error) or type(error).__name__
            if not away:
                notify(f"the diary has gone away ({reason}); trying again until it is back")
            away = True
            await asyncio.sleep(RETRY_SECONDS)


async def _events(content: StreamReader) -> AsyncIterator[Told]:
    """The events of one connection (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    kind = data = place = ""
    async for raw in content:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        match name:
            case "event":
                kind = value
            case "data":
                data = value
            case "id":
                place = value
            case "" if not value and (data or place):  # an id alone says how far everything has been told
                yield Told(kind, json.loads(data) if data else {}, place)
                kind = data = place = ""
            case _:
                continue  # a comment


def _at_the_beginning(url: URL, error: Exception) -> Exception:
    if isinstance(error, Refused):
        return error
    return Unavailable(f"{url}: {type(error).__name__}: {error}. Is it running? `streamapp status` tells")
