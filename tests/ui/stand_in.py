"""A diary and an api for the browser tests: the real pages, and answers that a test can choose.

It stands in for data alone: the files, their headers and the policy come from `agents.diary.dashboard`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from agents.diary.dashboard import Dashboard
from tests.ui import content, histories
from tests.ui.content import limits

Json = dict[str, Any]


def serving(application: web.Application) -> contextlib.AbstractAsyncContextManager[str]:
    """Serve on a free port of the loopback; gives the base URL."""

    @contextlib.asynccontextmanager
    async def served() -> AsyncIterator[str]:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return served()


@dataclass
class StandIn:
    """What was asked, and what is answered. `instead` maps a path to an answer or a status."""

    asked: list[str] = field(default_factory=list)
    instead: dict[str, Json | int] = field(default_factory=dict)
    tasks: list[Json] = field(default_factory=content.summaries)
    requeues: list[Json] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    refuse_requeues_from: int = 10**9
    refusal: str = "refused"
    streaming: bool = True
    page_size: int = 50
    delay: float = 0.0
    _queues: set[asyncio.Queue[bytes | None]] = field(default_factory=set)
    _tasks: dict[str, Callable[[], Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {
            content.FLAKY: histories.flaky,
            content.RUNNING: histories.running,
            content.PERMANENT: histories.permanent,
            content.NASTY_ID: histories.nasty,
            content.LARGE: histories.large,
            content.REJECTED: histories.rejected,
        }
        self._tasks.update(named)

    def tell(self, task_id: str, made: Callable[[], Json]) -> None:
        """Answer so about one task from now on."""
        self._tasks[task_id] = made

    def count(self, path: str) -> int:
        """How often a path was asked for, whatever its parameters."""
        return sum(asked.partition("?")[0] == path for asked in self.asked)

    async def event(self, name: str, data: str, id: str = "3:1") -> None:
        """One server-sent event to whoever listens."""
        for queue in list(self._queues):
            queue.put_nowait(f"id: {id}\nevent: {name}\ndata: {data}\n\n".encode())

    async def end_streams(self) -> None:
        """End every stream, as a process that stops does."""
        for queue in list(self._queues):
            queue.put_nowait(None)

    @property
    def listeners(self) -> int:
        """Streams that are open."""
        return len(self._queues)

    # ---- the diary ----

    def diary(self, api_url: str) -> web.Application:
        application = web.Application()
        Dashboard(api_url).add_routes(application.router)
        application.router.add_get("/v1/events/stream", self.stream)
        application.router.add_get("/v1/tasks/{taskId}", self.task)
        application.router.add_get("/v1/{view}", self.view)
        return application

    async def view(self, request: web.Request) -> web.Response:
        self.asked.append(str(request.rel_url))
        await asyncio.sleep(self.delay)
        if (chosen := self.instead.get(request.path)) is not None:
            return _answer(chosen)
        query = request.query
        match request.match_info["view"]:
            case "overview":
                return _answer(content.overview())
            case "rates":
                return _answer(content.rates(int(query.get("window", "60"))))
            case "latencies":
                one = content.histogram()
                measures = {"dispatch": one, "execution": one, "endToEnd": one}
                return _answer({**measures, "byType": {"WEBHOOK_DELIVERY": measures, "REPORT": measures}, **limits()})
            case "tasks":
                return self._page("tasks", self._filtered(request), query)
            case "retrying":
                due = [task for task in self.tasks if task["state"] == "RETRY_SCHEDULED"]
                return self._page("tasks", due, query)
            case "stuck":
                return self._page("tasks", content.stuck(), query)
            case "anomalies":
                return self._page("anomalies", content.anomalies(), query)
            case "failures":
                return _answer(content.failures())
            case "workers":
                return _answer(content.workers())
            case "unreadable":
                return _answer(content.unreadable())
            case "outage":
                return _answer(content.outage())
        return _answer(404)

    async def task(self, request: web.Request) -> web.Response:
        self.asked.append(str(request.rel_url))
        task_id = request.match_info["taskId"]
        if (chosen := self.instead.get(f"/v1/tasks/{task_id}")) is not None:
            return _answer(chosen)
        if task_id in self._tasks:
            return _answer(self._tasks[task_id]())
        if any(task["taskId"] == task_id for task in self.tasks):
            return _answer(histories.plain(task_id))
        return _answer(404)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        if not self.streaming:
            return _answer(503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            await response.write(b": keepalive\n\n")
            while (data := await queue.get()) is not None:
                await response.write(data)
        except ConnectionError:
            return response  # the page was left
        finally:
            self._queues.discard(queue)
        return response

    def _filtered(self, request: web.Request) -> list[Json]:
        query = request.query
        states = query.getall("state", [])

        def wanted(task: Json) -> bool:
            return (
                (not states or task["state"] in states)
                and query.get("type", task["type"]) == task["type"]
                and query.get("error", task["errorType"]) == task["errorType"]
                and query.get("worker", task["worker"]) == task["worker"]
                and ("anomaly" not in query or task["anomalies"] > 0)
            )

        return [task for task in self.tasks if wanted(task)]

    def _page(self, name: str, rows: list[Json], query: Any) -> web.Response:
        begin, size = int(query.get("cursor", "0")), min(int(query.get("limit", "50")), self.page_size)
        end = begin + size
        return _answer({name: rows[begin:end], "next": str(end) if end < len(rows) else None, **limits()})

    # ---- the api ----

    def api(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v1/requeues", self.requeue)
        application.router.add_options("/v1/requeues", self.preflight)
        return application

    async def preflight(self, request: web.Request) -> web.Response:
        allowed = {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "content-type, idempotency-key",
        }
        return web.Response(status=204, headers={**_origin(request), **allowed})

    async def requeue(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.requeues.append(asked)
        self.keys.append(request.headers.get("Idempotency-Key"))
        if len(self.requeues) >= self.refuse_requeues_from:
            problem = {
                "type": "/problems/refused",
                "title": "Refused",
                "detail": "Kafka is known to be down",
                "outcome": self.refusal,
            }
            return web.json_response(problem, status=503, headers={**_origin(request), "Retry-After": "2"})
        done = [{"taskId": task_id, "position": "3:2000"} for task_id in asked["taskIds"]]
        return web.json_response({"requeues": done}, status=202, headers=_origin(request))


def _origin(request: web.Request) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": request.headers.get("Origin", "")}


def _answer(chosen: Json | int) -> web.Response:
    if isinstance(chosen, dict):
        return web.json_response(chosen)
    details = {
        404: ("task-unknown", "Task unknown", "the diary has no fact of a task with this id"),
        422: ("history-not-kept", "History not kept", "facts of this task were dropped; its past cannot be told"),
        503: ("partition-recovering", "Partition recovering", "partition 3 is being taken over; try again"),
    }
    slug, title, detail = details.get(chosen, ("internal-error", "Internal error", "something went wrong"))
    body = {"type": f"/problems/{slug}", "title": title, "status": chosen, "detail": detail}
    headers = {"Retry-After": "1"} if chosen == 503 else {}
    return web.json_response(body, status=chosen, headers=headers, content_type="application/problem+json")
