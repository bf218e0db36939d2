"""The diary's web views, put together: which module answers which path."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from agents.diary.agent import Diary
from agents.diary.answers import Answers
from agents.diary.description import Description
from agents.diary.event_stream import EventStream
from agents.diary.figures import Figures
from agents.diary.lists import Lists
from agents.diary.one_task import OneTask
from agents.diary.outage import Outage
from agents.diary.overview import Overview
from agents.diary.owners import Owners
from agents.diary.problems import answering
from streamapp.clock import Clock
from streamapp.stream.freshness import Freshness

EVENTS = "/v1/events/stream"
LISTS = ("tasks", "stuck", "retrying", "anomalies")


class DiaryWeb:
    """Answers HTTP questions about what the diary has folded. Changes nothing.

    Args:
        app: the Faust app, which knows who holds which partition.
        diary: what is folded here.
        freshness: whether Kafka answers, and how far it is.
        clock: against which open tasks are overdue.
        servers: Kafka's addresses, for questions about a span of time.
        own_url: under which the other diary processes reach this one.
        timeout_seconds: how long they may take to answer.
    """

    def __init__(
        self,
        app: Any,
        diary: Diary,
        freshness: Freshness,
        clock: Clock,
        *,
        servers: str,
        own_url: str,
        timeout_seconds: float,
    ) -> None:
        answers = Answers(freshness, diary.tasks.table.partitions)
        self.owners = Owners(app, own=own_url, timeout_seconds=timeout_seconds)
        self._one_task = OneTask(diary, self.owners, answers, clock)
        self._lists = Lists(diary, self.owners, answers, clock)
        self._figures = Figures(diary, self.owners, answers, clock)
        self._overview = Overview(diary, self.owners, answers, clock)
        self._outage = Outage(diary, self.owners, answers, clock, servers)
        self._events = EventStream(diary, self.owners, clock, lambda: bool(app.should_stop))
        self._description = Description()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The routes: of the views, then those for other diary processes."""
        views: dict[str, Callable[[web.Request], Any]] = {
            "/v1/tasks": self._lists.tasks,
            "/v1/tasks/{taskId}": self._one_task.task,
            "/v1/stuck": self._lists.stuck,
            "/v1/retrying": self._lists.retrying,
            "/v1/anomalies": self._lists.anomalies,
            "/v1/failures": self._figures.failures,
            "/v1/workers": self._figures.workers,
            "/v1/rates": self._figures.rates,
            "/v1/latencies": self._figures.latencies,
            "/v1/totals": self._figures.totals,
            "/v1/unreadable": self._figures.unreadable,
            "/v1/lag": self._figures.lag,
            "/v1/overview": self._overview.overview,
            "/v1/outage": self._outage.outage,
            EVENTS: self._events.stream,
            "/openapi.json": self._description.openapi,
            f"/v1/parts/{{list:{'|'.join(LISTS)}}}": self._lists.part,
            "/v1/parts/outage": self._outage.part,
            **{part.path: part.handle for part in (*self._figures.parts, self._overview.part)},
        }
        for path, handler in views.items():
            router.add_get(path, answering(handler), allow_head=path != EVENTS)
