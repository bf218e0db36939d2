"""`/v1/tasks`: one task, a batch of tasks, and where to look one up. HTTP here, decisions in `reception`."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web

from streamapp.api.problems import Problem
from streamapp.api.reading import read_document, read_idempotency_key, read_traceparent
from streamapp.api.reception import Accepted, Reception
from streamapp.domain.facts import FieldError
from streamapp.settings import Settings
from streamapp.telemetry import get_log
from streamapp.wire import json

JSON = {"Content-Type": "application/json"}

log = get_log("streamapp.api")


class Tasks:
    """The handlers of `/v1/tasks`. `trace_of` gives the trace that a request is part of."""

    def __init__(
        self,
        settings: Settings,
        reception: Reception,
        trace_of: Callable[[web.Request], str | None] = read_traceparent,
    ) -> None:
        self._reception = reception
        self._trace_of = trace_of
        self._read_seconds = settings.api.read_timeout_seconds
        self._max_batch = settings.api.max_batch
        self._retry = {"Retry-After": str(settings.api.retry_after_seconds)}
        self._diary = f"http://{settings.diary.advertised_host}:{settings.diary.port}"

    async def submit(self, request: web.Request) -> web.Response:
        """One task: 202 once Kafka has acknowledged its TaskAccepted."""
        key = read_idempotency_key(request)
        document = await read_document(request, timeout_seconds=self._read_seconds)
        verdict = self._reception.judge(document, key, self._trace_of(request))
        (result,) = await self._reception.record([verdict])
        if isinstance(result, Problem):
            raise result
        position = result.position
        log.info(
            "task accepted",
            task=result.task_id,
            type=result.type,
            partition=position.partition,
            offset=position.offset,
        )
        headers = {"Location": f"/v1/tasks/{quote(result.task_id, safe='')}", **JSON}
        return web.Response(status=202, body=json.dump(_accepted(result)), headers=headers)

    async def submit_batch(self, request: web.Request) -> web.Response:
        """Many tasks in one window: 202 all accepted, 207 some, 422 or 503 none; the items tell, in order."""
        key = read_idempotency_key(request)
        document = await read_document(request, timeout_seconds=self._read_seconds)
        trace = self._trace_of(request)
        verdicts = [
            self._reception.judge(item, None if key is None else f"{key}:{index}", trace)
            for index, item in enumerate(self._items(document))
        ]
        results = await self._reception.record(verdicts)
        accepted = [result for result in results if isinstance(result, Accepted)]
        log.info("batch accepted", tasks=len(accepted), submitted=len(results))
        for result in accepted:
            position = result.position
            log.debug("task accepted", task=result.task_id, partition=position.partition, offset=position.offset)
        if not accepted:
            raise self._none_accepted(results)
        status = 202 if len(accepted) == len(results) else 207
        return web.Response(status=status, body=json.dump({"items": _items(results)}), headers=JSON)

    async def look_up(self, request: web.Request) -> web.Response:
        """Always 404: the api reads no views. Says who does."""
        link = f"{self._diary}/v1/tasks/{quote(request.match_info['task_id'], safe='')}"
        raise Problem("not-found", "the api accepts tasks; the diary shows them", links={"diary": link})

    def _items(self, document: Any) -> list[Any]:
        if not isinstance(document, dict):
            raise _envelope("", "must be an object with the field tasks")
        for name in document:
            if name != "tasks":
                raise _envelope(f"/{name[:200].replace('~', '~0').replace('/', '~1')}", "is not a field of a batch")
        items = document.get("tasks")
        if not isinstance(items, list) or not 1 <= len(items) <= self._max_batch:
            raise _envelope("/tasks", f"must be a list of 1 to {self._max_batch} tasks")
        return items

    def _none_accepted(self, results: Sequence[Accepted | Problem]) -> Problem:
        problems = [result for result in results if isinstance(result, Problem)]
        unknown = [problem for problem in problems if problem.slug == "outcome-unknown"]
        refused = [problem for problem in problems if problem.slug == "refused"]
        if unknown:
            return Problem(
                "outcome-unknown", unknown[0].detail, headers=self._retry, outcome="unknown", items=_items(results)
            )
        if refused:
            return Problem("refused", refused[0].detail, headers=self._retry, outcome="refused", items=_items(results))
        return Problem("invalid-submission", "no task of the batch is valid", items=_items(results))


def _envelope(pointer: str, message: str) -> Problem:
    error = FieldError(pointer, message)
    return Problem("invalid-submission", f"{pointer or '/'} {message}", errors=[error])


def _accepted(result: Accepted) -> dict[str, Any]:
    return {"taskId": result.task_id, "partition": result.position.partition, "offset": result.position.offset}


def _items(results: Sequence[Accepted | Problem]) -> list[dict[str, Any]]:
    return [
        {"status": 202, **_accepted(result)} if isinstance(result, Accepted) else result.document()
        for result in results
    ]
