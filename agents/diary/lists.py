"""The lists: tasks by what they are, those that are stuck, those that are tried again, and anomalies.

Answered from the indexes of all processes, a page at a time. A partition whose owner does not answer, or whose index is
being built, is named as missing.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

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
from agents.diary.summary import summary_view
from streamapp.clock import Clock
from streamapp.domain.progress import State

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_STEPS = 20_000
"""Summaries that one process goes through for one page of a filtered list; then it gives a cursor."""

MAX_AGE_SECONDS = 100 * 365 * 86_400
PAGE = ("cursor", "limit")
FILTERS = ("anomaly", "error", "olderThan", "state", "type", "worker", "youngerThan")


class Share(msgspec.Struct, array_like=True):
    """What one process has for a page: of which partitions, and what."""

    partitions: list[int]
    page: Listed


class Question(NamedTuple):
    """A page of a list: behind which place, how long, how one partition finds its entries, and how they are shown."""

    behind: Place | None
    limit: int
    newest_first: bool
    select: Callable[[PartitionIndex, Place | None, int], Listed]
    view: Callable[[Any], dict[str, Any]]


_share = msgspec.json.Decoder(Share)


class Lists:
    """Answers from the indexes."""

    def __init__(self, diary: Diary, owners: Owners, answers: Answers, clock: Clock) -> None:
        self._diary = diary
        self._owners = owners
        self._answers = answers
        self._clock = clock

    async def tasks(self, request: web.Request) -> web.Response:
        """Tasks, newest change first; filtered by state, type, worker, error type, anomaly, time since the change."""
        return await self._list(request, "tasks")

    async def stuck(self, request: web.Request) -> web.Response:
        """Open tasks of which something should have happened by now, longest overdue first."""
        return await self._list(request, "stuck")

    async def retrying(self, request: web.Request) -> web.Response:
        """Tasks that wait for another attempt, next due first."""
        return await self._list(request, "retrying")

    async def anomalies(self, request: web.Request) -> web.Response:
        """What contradicted the state of a task, newest first."""
        return await self._list(request, "anomalies")

    async def part(self, request: web.Request) -> web.Response:
        """What this process alone has for a page of a list."""
        return plain(self._local(self._read(request, request.match_info["list"])))

    async def _list(self, request: web.Request, name: str) -> web.Response:
        asked = self._read(request, name)
        path = f"/v1/parts/{name}?{request.rel_url.raw_query_string}"
        shares = [*await self._owners.ask(path, _share.decode), self._local(asked)]
        page = merged([share.page for share in shares], asked.limit, newest_first=asked.newest_first)
        view: dict[str, Any] = {
            "anomalies" if name == "anomalies" else "tasks": [entry for _, entry in page.entries],
            "next": cursor.written(name, page.reached),
            "complete": page.complete,
        }
        return self._answers.over_all(view, [partition for share in shares for partition in share.partitions])

    def _local(self, asked: Question) -> Share:
        """The share of this process. Only what comes on the page is made JSON."""
        indexes = self._diary.indexes.ready()
        parts = [asked.select(index, asked.behind, asked.limit) for index in indexes.values()]
        page = merged(parts, asked.limit, newest_first=asked.newest_first)
        page.entries = [(place, asked.view(entry)) for place, entry in page.entries]
        return Share(list(indexes), page)

    def _read(self, request: web.Request, name: str) -> Question:
        query = Query(request, (*PAGE, *FILTERS) if name == "tasks" else PAGE)
        limit = query.whole("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        behind, now = cursor.read(name, query.text("cursor")), self._clock.now_ms()
        lines = partial(summary_view, now_ms=now)
        match name:
            case "tasks":
                steps = max(MAX_STEPS // max(len(self._diary.tasks.table.held()), 1), limit)
                wanted = _wanted(query, now)
                return Question(behind, limit, True, partial(_tasks, wanted=wanted, steps=steps), lines)
            case "stuck":
                late = partial(selection.stuck_view, now=now)
                return Question(behind, limit, False, partial(selection.stuck, now=now), late)
            case "retrying":
                return Question(behind, limit, False, selection.retrying, lines)
            case _:
                return Question(behind, limit, True, selection.anomalies, lambda odd: odd)


def _tasks(index: PartitionIndex, behind: Place | None, limit: int, *, wanted: Wanted, steps: int) -> Listed:
    return selection.tasks(index, wanted, behind, limit, steps)


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
