"""The diary's views as `streamapp doctor` reads them: JSON to values. Questions only.

Raises Unavailable wherever the diary does not answer, or answers what is no view of this version.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from streamapp.cli import client
from streamapp.clock import milliseconds_of
from streamapp.doctor.look import Told
from streamapp.doctor.noticed import SHOWN, Noticed
from streamapp.doctor.roles import DiarySays
from streamapp.doctor.verdicts import Finding
from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import TaskExecutionStarted
from streamapp.domain.progress import State
from streamapp.settings import Settings

PAGE = 500
"""Entries of a page; the most that the diary gives."""

QUESTIONS_AT_ONCE = 10
STARTED = (State.RUNNING, State.FAILED, State.RETRY_SCHEDULED, State.COMPLETED, State.FAILED_PERMANENTLY)
NEWEST = 5
"""Tasks whose starts tell the epoch in which workers start now."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over all partitions: tasks by state, facts by name, and records that are no facts."""

    states: Mapping[State, int]
    facts: Mapping[str, int]
    unreadable: int


class DiaryViews:
    """Asks the diary of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def says(self) -> DiarySays:
        """What it says of itself."""
        _, ready = await client.ask_diary(self._settings, "/readyz")
        overview = await self._view("/v1/overview")
        with _understood("/readyz"):
            return DiarySays(
                tuple(str(reason) for reason in ready["reasons"]),
                bool(overview["stale"]),
                tuple(overview["missingPartitions"]),
                int(overview["lag"]["total"]),
            )

    async def sums(self) -> Sums:
        """The sums now."""
        view = await self._view("/v1/totals")
        with _understood("/v1/totals"):
            states = {State(name): int(count) for name, count in view["states"].items()}
            return Sums(states, dict(view["facts"]), int(view["unreadable"]))

    async def of_state(
        self, state: State, limit: int, older_than: float | None = None
    ) -> tuple[tuple[Told, ...], bool]:
        """Up to `limit` tasks in `state`, newest change first, and whether these are all.

        `older_than`: seconds since the last change at least.
        """
        path = f"/v1/tasks?state={state}&limit={PAGE}" + (f"&olderThan={older_than:g}" if older_than else "")
        found: list[Told] = []
        cursor = ""
        while True:
            view = await self._view(path + cursor)
            with _understood(path):
                found += [_told(line) for line in view["tasks"]]
                cursor = f"&cursor={quote(view['next'])}" if view["next"] else ""
            if not cursor or len(found) >= limit:
                return tuple(found[:limit]), not cursor and len(found) <= limit

    async def tasks(self, task_ids: Iterable[str]) -> dict[str, Told | None]:
        """Each task, asked one by one; None where the diary has no fact of it."""
        views = await self._asked(task_ids)
        with _understood("/v1/tasks/{taskId}"):
            return {task_id: None if view is None else _told(view) for task_id, view in views.items()}

    async def newest_epoch(self) -> int | None:
        """The highest epoch of the guard in which one of the newest tasks was started; None if none ever was."""
        path = f"/v1/tasks?{'&'.join(f'state={state}' for state in STARTED)}&limit={NEWEST}"
        view = await self._view(path)
        with _understood(path):
            newest = [str(line["taskId"]) for line in view["tasks"]]
        views = (await self._asked(newest)).values()
        with _understood("/v1/tasks/{taskId}"):
            starts = [
                fact for view in views if view for fact in view["facts"] if fact["fact"] == TaskExecutionStarted.NAME
            ]
            return max((int(fact["detail"].get("epoch", 0)) for fact in starts), default=None)

    async def stuck(self) -> Noticed:
        """Tasks that are stuck."""
        view = await self._view(f"/v1/stuck?limit={PAGE}")
        with _understood("/v1/stuck"):
            found = [Finding(str(line["why"]), str(line["taskId"]), explained=True) for line in view["tasks"]]
            return Noticed(len(found), view["next"] is None, found[:SHOWN])

    async def anomalies(self, since_ms: int) -> Noticed:
        """Anomalies since a time in milliseconds."""
        view = await self._view(f"/v1/anomalies?limit={PAGE}")
        with _understood("/v1/anomalies"):
            lines = [line for line in view["anomalies"] if milliseconds_of(line["at"]) >= since_ms]
            found = [
                Finding(f"{line['fact']}: {line['reason']}", str(line["taskId"]), explained=True) for line in lines
            ]
            return Noticed(len(found), len(lines) < len(view["anomalies"]) or view["next"] is None, found[:SHOWN])

    async def unreadable(self, since_ms: int) -> Noticed:
        """Records that are no facts, since a time in milliseconds. The diary keeps the latest of each partition."""
        view, sums = await self._view("/v1/unreadable"), await self.sums()
        with _understood("/v1/unreadable"):
            records = view["records"]
            lines = [line for line in records if milliseconds_of(line["at"]) >= since_ms]
            found = [
                Finding(f"{line['topic']}[{line['partition']}]@{line['offset']}: {line['reason']}", explained=True)
                for line in lines
            ]
            return Noticed(len(found), not found or len(records) >= sums.unreadable, found[:SHOWN])

    async def _asked(self, task_ids: Iterable[str]) -> dict[str, Any]:
        turns = asyncio.Semaphore(QUESTIONS_AT_ONCE)

        async def ask(task_id: str) -> tuple[str, Any]:
            async with turns:
                code, view = await client.ask_diary(self._settings, client.task_path(task_id))
            return task_id, None if code == 404 else _good(code, view)

        return dict(await asyncio.gather(*(ask(task_id) for task_id in dict.fromkeys(task_ids))))

    async def _view(self, path: str) -> Any:
        code, view = await client.ask_diary(self._settings, path)
        return _good(code, view)


def _good(code: int, view: Any) -> Any:
    if code == 200:
        return view
    detail = view.get("detail") or view.get("title") if isinstance(view, dict) else None
    raise Unavailable(f"the diary answers {code}: {detail or 'nothing more'}")


def _told(line: Any) -> Told:
    by = line["expected"]["by"]
    return Told(str(line["taskId"]), State(line["state"]), int(line["attempt"]), by and milliseconds_of(by))


@contextmanager
def _understood(path: str) -> Iterator[None]:
    """What is no view of this version is no answer."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise Unavailable(
            f"what answers {path} at the diary's address is not this version's diary: {problem}"
        ) from error
