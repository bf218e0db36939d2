"""The lists: tasks by what they are, those that are stuck, those that are tried again, and anomalies.

Answered from the indexes of all processes, a page at a time. A partition whose owner does not answer, or whose index is
being built, is named as missing.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from agents.diary import cursor, selection
from agents.diary.agent import Diary
from agents.diary.answers import Answers, plain
from agents.diary.index import PartitionIndex
from agents.diary.owners import Owners
from agents.diary.pages import merged
from agents.diary.place import Place
from agents.diary.query import Query
from agents.diary.selection import Listed, Wanted
from streamapp.clock import Clock
from streamapp.domain.progress import State

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_STEPS = 20_000
"""Summaries that one process goes through for one page of a filtered list; then it gives a cursor."""

MAX_AGE_SECONDS = 100 * 365 * 86_400
PAGE = ("cursor", "limit")
FILTERS = ("anomaly", "error", "olderThan", "state", "type", "worker", "youngerThan")

Select: TypeAlias = Callable[[PartitionIndex, Place | None, int], Listed]
_listed = msgspec.json.Decoder(dict[int, Listed])


class Lists:
    """Answers from the indexes."""

    def __init__(self, diary: Diary, owners: Owners, answers: Answers, clock: Clock) -> None:
        self._diary = diary
        self._owners = owners
        self._answers = answers
        self._clock = clock

    async def tasks(self, request: web.Request) -> web.Response:
        """Tasks, newest change first; filtered by state, type, worker, error type, anomaly, time since the change."""
        return await self._list(request, "tasks", newest_first=True)

    async def stuck(self, request: web.Request) -> web.Response:
        """Open tasks of which something should have happened by now, longest overdue first."""
        return await self._list(request, "stuck", newest_first=False)

    async def retrying(self, request: web.Request) -> web.Response:
        """Tasks that wait for another attempt, next due first."""
        return await self._list(request, "retrying", newest_first=False)

    async def anomalies(self, request: web.Request) -> web.Response:
        """What contradicted the state of a task, newest first."""
        return await self._list(request, "anomalies", newest_first=True)

    async def part(self, request: web.Request) -> web.Response:
        """What this process alone has for a page of a list."""
        name = request.match_info["list"]
        behind, limit, select = self._read(request, name)
        return plain(self._local(behind, limit, select))

    async def _list(self, request: web.Request, name: str, *, newest_first: bool) -> web.Response:
        behind, limit, select = self._read(request, name)
        parts: dict[int, Listed] = {}
        for answer in await self._owners.ask(f"/v1/parts/{name}?{request.rel_url.raw_query_string}"):
            parts |= _listed.decode(answer)
        parts |= self._local(behind, limit, select)
        page = merged(parts.values(), limit, newest_first=newest_first)
        view: dict[str, Any] = {
            "anomalies" if name == "anomalies" else "tasks": page.views,
            "next": cursor.written(name, page.behind),
            "complete": page.complete,
        }
        return self._answers.over_all(view, parts)

    def _local(self, behind: Place | None, limit: int, select: Select) -> dict[int, Listed]:
        return {partition: select(index, behind, limit) for partition, index in self._diary.indexes.ready().items()}

    def _read(self, request: web.Request, name: str) -> tuple[Place | None, int, Select]:
        """Where the page begins, how long it is, and how one partition finds its share."""
        query = Query(request, (*PAGE, *FILTERS) if name == "tasks" else PAGE)
        limit = query.whole("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        behind, now = cursor.read(name, query.text("cursor")), self._clock.now_ms()
        match name:
            case "tasks":
                wanted = _wanted(query, now)
                steps = max(MAX_STEPS // max(len(self._diary.tasks.table.held()), 1), limit)
                return behind, limit, lambda index, place, most: selection.tasks(index, wanted, place, most, steps, now)
            case "stuck":
                return behind, limit, lambda index, place, most: selection.stuck(index, place, most, now)
            case "retrying":
                return behind, limit, lambda index, place, most: selection.retrying(index, place, most, now)
            case _:
                return behind, limit, selection.anomalies


def _wanted(query: Query, now: int) -> Wanted:
    """The filter of a list of tasks. Ages are counted from the last change."""
    older, younger = query.seconds("olderThan", MAX_AGE_SECONDS), query.seconds("youngerThan", MAX_AGE_SECONDS)
    return Wanted(
        states=query.choices("state", list(State)),
        type=query.text("type"),
        worker=query.text("worker"),
        error=query.text("error"),
        anomaly=query.flag("anomaly"),
        before=None if older is None else round(now - older * 1000),
        after=None if younger is None else round(now - younger * 1000),
    )
