"""Facts as they come: of one task until it has ended, or of all tasks until Ctrl-C.

In: the stream of events, which says when to look, and for one task its view, which says what is true. So nothing that
the stream has lost (a gap, a process that takes over) is lost to who watches one task. Out: facts, each once, in order.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from streamapp.cli import client
from streamapp.cli.event_source import Told, follow
from streamapp.cli.views import Refused, View, ask
from streamapp.domain.errors import Unavailable
from streamapp.domain.progress import State
from streamapp.settings import Settings

Tell = Callable[[dict[str, Any]], None]
Notify = Callable[[str], None]

ENDS = (State.COMPLETED, State.FAILED_PERMANENTLY, State.REJECTED)
LOOK_SECONDS = 5.0
"""So often a task is looked at if the stream says nothing of it."""

AGAIN_SECONDS = 1.0
LATE_SECONDS = 5.0
"""So long after a task has ended the fact of its dispatch is waited for: dispatch writes it behind RabbitMQ's confirm,
so a quick attempt can be over before it is told (decision 0002)."""

UNKNOWN_SECONDS = 10.0
"""So long after the beginning a task may be unknown: what was just accepted is folded within this."""


async def watch_all(settings: Settings, tell: Tell, notify: Notify) -> None:
    """Tell every fact, until cancelled. What could not be told is said to `notify`.

    Raises:
        Unavailable, Refused: the diary does not let anybody watch at the beginning.
    """
    async with aclosing(follow(settings, notify)) as stream:
        async for told in stream:
            match told.kind:
                case "fact":
                    tell(told.data)
                case "gap":
                    where = f"partition {told.data['partition']} from {told.data['from']} to below {told.data['to']}"
                    notify(f"not remembered any more: facts of {where}")
                case "skipped":
                    notify(f"too many to be told: {told.data['count']} facts")
                case _:
                    continue


class OneTask:
    """Tells the facts of one task, each once."""

    def __init__(self, settings: Settings, task_id: str, tell: Tell, notify: Notify) -> None:
        self._settings = settings
        self._task_id = task_id
        self._tell = tell
        self._notify = notify
        self._seen = -1
        self._not_kept = 0
        self._looked = self._begun = time.monotonic()
        self._ended: float | None = None

    async def watch(self) -> str:
        """Tell everything until the task has ended; its state then.

        Raises:
            Unavailable, Refused: the diary does not answer at the beginning; or nobody knows the task after
                `UNKNOWN_SECONDS`.
        """
        view = await self._first_look()
        if view is not None and self._is_told(view):
            return str(view["state"])
        place = "" if view is None else f"{view['position']['partition']}:{view['position']['offset']}"
        async with aclosing(follow(self._settings, self._notify, place)) as stream:
            coming = asyncio.ensure_future(anext(stream))
            try:
                wait = LOOK_SECONDS
                while True:
                    await asyncio.wait({coming}, timeout=wait)
                    wait = LOOK_SECONDS
                    due = time.monotonic() - self._looked >= LOOK_SECONDS
                    if coming.done():
                        due = self._concerns(coming.result()) or due
                        coming = asyncio.ensure_future(anext(stream))
                    if due:
                        view = await self._look_if_possible()
                        if view is not None and self._is_told(view):
                            return str(view["state"])
                        if view is None or view["state"] in ENDS:
                            self._looked, wait = time.monotonic() - LOOK_SECONDS, AGAIN_SECONDS
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    def _is_told(self, view: View) -> bool:
        """Whether the task has ended, and every attempt that started was told to be dispatched or had its time."""
        if view["state"] not in ENDS:
            return False
        if self._ended is None:
            self._ended = time.monotonic()
        dispatched = {fact["attempt"] for fact in view["facts"] if fact["fact"] == "TaskDispatched"}
        started = {fact["attempt"] for fact in view["facts"] if fact["fact"] == "TaskExecutionStarted"}
        whole = started <= dispatched or view["factsNotKept"] > 0
        return whole or time.monotonic() - self._ended >= LATE_SECONDS

    def _concerns(self, told: Told) -> bool:
        """Whether an event is a reason to look at the task."""
        if told.kind != "fact":
            return True
        return bool(told.data["taskId"] == self._task_id and told.data["offset"] > self._seen)

    async def _first_look(self) -> View | None:
        try:
            return await self._look()
        except Refused as refused:
            if refused.status != 404:
                raise
        self._notify("the diary does not know this task yet; waiting for it")
        return None

    async def _look_if_possible(self) -> View | None:
        """The view, or None if there is none now. A task that stays unknown is an error."""
        try:
            return await self._look()
        except Unavailable:
            return None
        except Refused as refused:
            if refused.status == 404 and time.monotonic() - self._begun >= UNKNOWN_SECONDS:
                raise
            return None

    async def _look(self) -> View:
        self._looked = time.monotonic()
        view = await ask(self._settings, client.task_path(self._task_id))
        for fact in view["facts"]:
            if fact["offset"] > self._seen:
                self._tell({"taskId": view["taskId"], "type": view["type"], **fact})
        self._seen = max(self._seen, view["position"]["offset"])
        if view["factsNotKept"] > self._not_kept:
            self._notify(f"the diary has counted {view['factsNotKept']} facts of this task that it does not keep")
            self._not_kept = view["factsNotKept"]
        return view
