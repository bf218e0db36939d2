"""`GET /v1/events/stream`: every fact as it is folded, as server-sent events
(https://html.spec.whatwg.org/multipage/server-sent-events.html).

The id of an event is its place, and behind it how far every other partition has been told, also where that is nothing
yet: whoever comes back with `Last-Event-ID` goes on there in all of them, if it is still remembered, and is told of the
gap if not. An id without an event says where all of them stand when the stream begins.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from aiohttp import web

from agents.diary.agent import Diary
from agents.diary.event_ids import read_id, write_id, write_places
from agents.diary.events import Gap, Line, TooMany, Watcher
from agents.diary.owners import Owners
from agents.diary.problems import Problem
from agents.diary.query import Query
from agents.diary.relay import Relay
from streamapp.clock import Clock
from streamapp.wire import json

KEEPALIVE_SECONDS = 15.0
LOOK_SECONDS = 1.0
"""How often a stream that has nothing to say looks whether it should end."""

MAX_A_SECOND = 1_000
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream:
    """Sends events. `stopping` tells whether the process is about to end."""

    def __init__(self, diary: Diary, owners: Owners, clock: Clock, stopping: Callable[[], bool]) -> None:
        self._diary = diary
        self._owners = owners
        self._clock = clock
        self._stopping = stopping

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Events of all processes, or with `process=only` of this one."""
        only = bool(Query(request, ("process",)).choices("process", ("only",)))
        seen = read_id(request.headers.get("Last-Event-ID"))
        table = self._diary.tasks.table
        applied = {partition: table.applied(partition) or 0 for partition in table.held()}
        try:
            watcher = self._diary.events.watch(seen, applied)
        except TooMany:
            raise Problem("too-many-waiting", "so many watch already; try again", retry_after=5) from None
        for partition, end in applied.items():
            seen.setdefault(partition, end - 1)
        relay = None if only else asyncio.create_task(Relay(self._owners, watcher, seen).run())
        response = web.StreamResponse(headers=HEADERS)
        try:
            with suppress(ConnectionResetError):  # whoever watched is gone
                await response.prepare(request)
                await self._send(request, response, watcher, seen)
        finally:
            self._diary.events.leave(watcher)
            if relay is not None:
                relay.cancel()
                await asyncio.gather(relay, return_exceptions=True)
        return response

    async def _send(
        self, request: web.Request, response: web.StreamResponse, watcher: Watcher, seen: dict[int, int]
    ) -> None:
        """Send what comes until one side ends."""
        budget = Budget(self._clock)
        await response.write(_standing(seen))
        spoken, known = self._clock.monotonic(), len(seen)
        while not self._stopping() and request.transport is not None and not request.transport.is_closing():
            some = await watcher.something(LOOK_SECONDS)
            text = _text(watcher, seen, budget) if some or budget.owes() else b""
            now = self._clock.monotonic()
            if not text and (now - spoken >= KEEPALIVE_SECONDS or len(seen) != known):
                text = _standing(seen)
            if text:
                await response.write(text)
                spoken, known = now, len(seen)


class Budget:
    """How many events a watcher may still get in this second, and how many it did not get."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._sent = 0
        self.skipped = 0

    def allows(self) -> bool:
        """Whether one more may be sent; if not, it is counted as skipped."""
        self._turn()
        if self._sent < MAX_A_SECOND:
            self._sent += 1
            return True
        self.skipped += 1
        return False

    def owes(self) -> bool:
        """Whether a watcher has to be told now how many it did not get."""
        self._turn()
        return self.skipped > 0 and self._sent < MAX_A_SECOND

    def _turn(self) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._sent = second, 0


def _text(watcher: Watcher, seen: dict[int, int], budget: Budget) -> bytes:
    """What is to be sent now."""
    lines = [_gap(gap) for gap in watcher.gaps]
    watcher.gaps.clear()
    while watcher.unsent:
        event = watcher.unsent.popleft()
        if event.offset <= seen.get(event.partition, -1):
            continue  # told before, by the process that held the partition then
        seen[event.partition] = event.offset
        if budget.allows():
            lines.append(_fact(event, seen))
    budget.skipped += watcher.skipped
    watcher.skipped = 0
    if budget.owes():
        lines.append(b"event: skipped\ndata: %s\n\n" % json.dump({"count": budget.skipped}))
        budget.skipped = 0
    return b"".join(lines)


def _standing(seen: Mapping[int, int]) -> bytes:
    """What keeps a silent stream alive: an id without an event, or a comment where no partition is known."""
    if not seen:
        return b": keepalive\n\n"
    return b"id: %s\n\n" % write_places(seen).encode()


def _fact(event: Line, seen: Mapping[int, int]) -> bytes:
    place = write_id(event.partition, event.offset, seen).encode()
    return b"id: %s\nevent: fact\ndata: %s\n\n" % (place, event.data())


def _gap(gap: Gap) -> bytes:
    view = {"partition": gap.partition, "from": gap.first, "to": gap.end}
    return b"event: gap\ndata: %s\n\n" % json.dump(view)
