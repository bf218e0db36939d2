"""`GET /v1/tasks/{taskId}`: everything the diary knows of one task, now or as it was, and waiting for it.

Tables are sharded by task id: a question about a task of another process's partition is forwarded to its owner.
"""

from typing import Any
from urllib.parse import quote

from aiohttp import web

from agents.diary.agent import Diary
from agents.diary.answers import Answers
from agents.diary.arrivals import TooMany
from agents.diary.owners import Owners
from agents.diary.problems import Problem
from agents.diary.query import Query
from agents.diary.views import task_view
from streamapp.clock import Clock
from streamapp.domain.past import HistoryNotKept, as_of
from streamapp.domain.task import Task
from streamapp.stream.partitions import partition_of

PARAMETERS = ("at", "min_position", "wait")
MAX_WAIT_SECONDS = 60.0
FOLD_SECONDS = 5.0
"""How long an answer waits for the fold to reach `min_position`, unless `wait` says more."""

SLICE_SECONDS = 1.0
"""How long a partition may be gone before those who wait for something in it notice."""


class OneTask:
    """Answers from the table of tasks."""

    def __init__(self, diary: Diary, owners: Owners, answers: Answers, clock: Clock) -> None:
        self._diary = diary
        self._owners = owners
        self._answers = answers
        self._clock = clock

    async def task(self, request: web.Request) -> web.Response:
        """One task with its whole history; 404 if the diary knows nothing of it."""
        query = Query(request, PARAMETERS)
        wait = query.seconds("wait", MAX_WAIT_SECONDS) or 0.0
        position, past = query.place("min_position"), _past(query)
        if past is not None and wait:
            raise Problem("invalid-parameter", "wait is for what will be, and at for what was: give one of them")
        task_id = request.match_info["taskId"]
        key = task_id.encode("utf-8", "replace")
        partition = partition_of(key, self._answers.partitions)
        for place in (position, None if past is None else past.get("place")):
            if place is not None and place[0] != partition:
                raise Problem("invalid-parameter", f"the facts of this task lie in partition {partition}")
        if not self._here(partition, key):
            return await self._forward(request, partition, task_id, wait)
        try:
            if position is not None:
                await self._folded(partition, position[1], max(wait, FOLD_SECONDS))
            task = await self._awaited(partition, key, wait) if wait else self._diary.tasks.get(partition, key)
        except TooMany:
            raise Problem("too-many-waiting", "so many requests wait already; ask again", retry_after=1) from None
        if task is None and not self._here(partition, key):
            return await self._forward(request, partition, task_id, 0.0)
        return self._answers.answer(self._view(task, partition, past))

    def _here(self, partition: int, key: bytes) -> bool:
        """Whether this process can tell: the partition is held, or its last known state is."""
        return partition in self._diary.tasks.table.held() or self._diary.tasks.get(partition, key) is not None

    async def _forward(self, request: web.Request, partition: int, task_id: str, wait: float) -> web.Response:
        path = f"/v1/tasks/{quote(task_id, safe='')}"
        if request.query_string:
            path += f"?{request.rel_url.raw_query_string}"
        return await self._owners.forward(request, partition, path, more_seconds=max(wait, FOLD_SECONDS))

    def _view(self, task: Task | None, partition: int, past: dict[str, Any] | None) -> dict[str, Any]:
        if task is None:
            raise Problem("task-unknown", "the diary has no fact of a task with this id")
        if past is None:
            return task_view(task, self._diary.topic, partition, self._diary.indexes.limits)
        try:
            place = past.get("place")
            then = as_of(task, offset=None if place is None else place[1], at=past.get("time"))
        except HistoryNotKept as error:
            raise Problem("history-not-kept", str(error)) from None
        if then is None:
            raise Problem("task-unknown", "the diary had no fact of a task with this id then")
        return {**task_view(then, self._diary.topic, partition, self._diary.indexes.limits), "at": past["given"]}

    async def _folded(self, partition: int, offset: int, seconds: float) -> None:
        """Wait until the fact at `offset` is folded."""
        deadline = self._clock.monotonic() + seconds
        while (applied := self._diary.tasks.table.applied(partition)) is None or applied <= offset:
            left = deadline - self._clock.monotonic()
            if left <= 0 or applied is None:
                detail = f"partition {partition} is folded up to {applied}, not to {offset} yet; ask again"
                raise Problem("not-yet-folded", detail, retry_after=1)
            await self._diary.arrivals.of_partition(partition, min(left, SLICE_SECONDS))

    async def _awaited(self, partition: int, key: bytes, seconds: float) -> Task | None:
        """The task when it has ended, or as it is after so long."""
        deadline = self._clock.monotonic() + seconds
        while True:
            task = self._diary.tasks.get(partition, key)
            left = deadline - self._clock.monotonic()
            if left <= 0 or (task is not None and task.progress.terminal):
                return task
            if self._diary.tasks.table.applied(partition) is None:
                return task
            await self._diary.arrivals.of_task(key, min(left, SLICE_SECONDS))


def _past(query: Query) -> dict[str, Any] | None:
    """What `at` asks for: the task at a place or at a time. None: as it is."""
    given = query.text("at")
    if given is None:
        return None
    try:
        place = query.place("at")
    except Problem:
        return {"given": given, "time": query.moment("at")}
    return {"given": given, "place": place}
