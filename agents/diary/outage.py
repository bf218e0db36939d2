"""`GET /v1/outage`: what became of the work of a span of time, such as one in which something was down.

In: the records of the span, read from the topic, and the tasks that they belong to, from the tables. Out: a
report with a verdict. Each process reads for its own partitions, in a thread, one question at a time, within a bound.
"""

import asyncio
from collections import Counter

import msgspec
from aiohttp import web

from agents.diary.agent import Diary
from agents.diary.answers import Answers, plain
from agents.diary.outage_text import report
from agents.diary.owners import Owners
from agents.diary.problems import Problem
from agents.diary.query import Query
from streamapp.clock import Clock
from streamapp.domain.errors import Unavailable
from streamapp.domain.outage import Bounds, Span, join, tell, tell_if_overdue
from streamapp.domain.totals import Unreadable
from streamapp.stream.batch import Record
from streamapp.stream.topic_log import TopicLog
from streamapp.wire.records import read

MAX_SPAN_MS = 24 * 3_600_000
MAX_RECORDS = 500_000
"""Records of a span that one process reads for one question."""

SECONDS = 120.0
_spans = msgspec.json.Decoder(dict[int, Span])


class Outage:
    """Reads the topic at `servers` and the tables."""

    def __init__(self, diary: Diary, owners: Owners, answers: Answers, clock: Clock, servers: str) -> None:
        self._diary = diary
        self._owners = owners
        self._answers = answers
        self._clock = clock
        self._servers = servers
        self._one = asyncio.Lock()

    async def outage(self, request: web.Request) -> web.Response:
        """The report of a span, from all processes."""
        bounds = self._bounds(Query(request, ("from", "to")))
        path = f"/v1/parts/outage?{request.rel_url.raw_query_string}"
        others = asyncio.create_task(self._owners.ask(path, _spans.decode, seconds=SECONDS))
        try:
            told = await self._told(bounds)
        except BaseException:
            others.cancel()
            raise
        for answer in await others:
            told = answer | told
        view = report(join(told.values()), bounds.first, bounds.last, self._answers.missing(told))
        return self._answers.over_all(view, told)

    async def part(self, request: web.Request) -> web.Response:
        """What this process alone has to say of a span."""
        return plain(await self._told(self._bounds(Query(request, ("from", "to")))))

    def _bounds(self, query: Query) -> Bounds:
        first, last = query.moment("from"), query.moment("to")
        if first is None or last is None or first > last:
            raise Problem("invalid-parameter", "from and to have to be given, and from may not be after to")
        if last - first > MAX_SPAN_MS:
            raise Problem("window-too-large", "a span of at most 24 hours can be asked for")
        return Bounds(max(first, 0), max(last, 0), self._clock.now_ms(), self._diary.indexes.limits)

    async def _told(self, bounds: Bounds) -> dict[int, Span]:
        """What the partitions held here say."""
        if self._one.locked():
            raise Problem("too-many-waiting", "another span is being read; ask again", retry_after=5)
        async with self._one:
            ready = self._diary.indexes.ready()
            late = {
                partition: [
                    due.task_id for dues in index.deadlines.values() for due in dues.irange(None, (bounds.now,))
                ]
                for partition, index in ready.items()
            }
            try:
                keys = await asyncio.to_thread(lambda: asyncio.run(self._keys(tuple(ready), bounds)))
            except Unavailable as error:
                raise Problem("topic-unreadable", str(error), retry_after=2) from error
            spans = {
                partition: await asyncio.to_thread(self._span, partition, found, late[partition], bounds)
                for partition, found in keys.items()
            }
        held = self._diary.tasks.table.held()
        return {partition: span for partition, span in spans.items() if partition in held}

    async def _keys(self, partitions: tuple[int, ...], bounds: Bounds) -> dict[int, Counter[bytes | None]]:
        """How many facts of the span each task has, and None what is no fact, by partition. Runs in a thread.

        Raises:
            Problem: 422, more records than one question may read.
        """
        async with TopicLog(self._servers, self._diary.topic) as log:
            ends = {partition: found.end for partition, found in (await log.bounds()).items()}
            first, behind = await log.offsets_at(bounds.first), await log.offsets_at(bounds.last + 1)
            ranges = {
                partition: (_or(first[partition], ends[partition]), _or(behind[partition], ends[partition]))
                for partition in partitions
            }
            records = sum(end - start for start, end in ranges.values())
            if records > MAX_RECORDS:
                detail = f"{records} facts were told in this span, more than {MAX_RECORDS}: ask for a shorter one"
                raise Problem("window-too-large", detail)
            keys: dict[int, Counter[bytes | None]] = {}
            for partition, (start, end) in ranges.items():
                found = keys[partition] = Counter()
                if start < end:
                    async for rows in log.read(partition, start, end):
                        found.update(row.key if readable(row) else None for row in rows)
            return keys

    def _span(self, partition: int, keys: Counter[bytes | None], late: list[str], bounds: Bounds) -> Span:
        """What a partition says. Runs in a thread."""
        span = Span()
        span.unreadable = keys[None]
        for key, facts in keys.items():
            task = None if key is None else self._diary.tasks.get(partition, key)
            if task is not None:
                tell(span, task, facts, bounds)
        for task_id in late:
            key = task_id.encode()
            task = None if key in keys else self._diary.tasks.get(partition, key)
            if task is not None and task.accepted_at is not None and task.accepted_at <= bounds.last:
                tell_if_overdue(span, task, bounds)
        return span


def readable(row: Record) -> bool:
    """Whether a record is a fact."""
    return not isinstance(read(row.key, row.value, row.offset, row.at), Unreadable)


def _or(found: int | None, end: int) -> int:
    return end if found is None else found
