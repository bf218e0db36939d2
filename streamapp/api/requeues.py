"""`/v1/requeues`: tasks that have failed for good are to be tried again. Each becomes a TaskRequeued in the diary.

HTTP comes in; facts and answers go out. Whether a task is known, and whether it has failed at all, is not asked here,
because the api reads no view: the fold decides what the fact does, and says so in the task's history.
"""

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from streamapp.api.problems import Problem
from streamapp.api.reading import read_document, read_idempotency_key
from streamapp.api.tasks import JSON
from streamapp.domain.errors import Refused
from streamapp.producer import FactLog, Position
from streamapp.settings import Settings
from streamapp.telemetry import get_log
from streamapp.wire import json
from streamapp.wire.scribe import Scribe
from streamapp.wire.submissions import Invalid, RequeueRequest, read_requeue

log = get_log("streamapp.api")


class Requeues:
    """The handler of `/v1/requeues`. `new_request` makes what tells apart requests that bring no Idempotency-Key."""

    def __init__(self, settings: Settings, facts: FactLog, scribe: Scribe, new_request: Callable[[], str]) -> None:
        api = settings.api
        self._facts, self._scribe, self._new_request = facts, scribe, new_request
        self._read_seconds, self._append_seconds = api.read_timeout_seconds, api.append_timeout_seconds
        self._retry = {"Retry-After": str(api.retry_after_seconds)}

    async def requeue(self, request: web.Request) -> web.Response:
        """202 once Kafka has acknowledged every fact. The same request with the same key is the same facts."""
        key = read_idempotency_key(request)
        document = await read_document(request, timeout_seconds=self._read_seconds)
        try:
            wanted = read_requeue(document)
        except Invalid as invalid:
            reasons = "; ".join(f"{error.pointer or '/'} {error.message}" for error in invalid.errors[:3])
            raise Problem("invalid-requeue", reasons, errors=invalid.errors) from None
        key = key or self._new_request()
        results = await self._record(wanted, key)
        items = [_item(task_id, result) for task_id, result in zip(wanted.taskIds, results, strict=True)]
        if not all(isinstance(result, Position) for result in results):
            raise self._not_all(results, items, key)
        log.info("requeue recorded", tasks=len(items), actor=wanted.actor)
        return web.Response(status=202, body=json.dump({"requeues": items}), headers=JSON)

    async def _record(self, wanted: RequeueRequest, key: str) -> Sequence[Position | Exception]:
        facts = [self._scribe.requeued(task_id, wanted.actor, wanted.reason, key) for task_id in wanted.taskIds]
        return await self._facts.append(facts, timeout_seconds=self._append_seconds)

    def _not_all(self, results: Sequence[Position | Exception], items: list[dict[str, Any]], key: str) -> Problem:
        """Some or all are not in the diary for sure. Sent again with `key` it is the same request."""
        if all(isinstance(result, Refused) for result in results):
            slug, outcome, detail = "refused", "refused", str(results[0])
        else:
            missing = sum(not isinstance(result, Position) for result in results)
            slug, outcome = "outcome-unknown", "unknown"
            detail = f"{missing} of {len(results)} are not acknowledged: send the same again with this Idempotency-Key"
        return Problem(slug, detail, headers=self._retry, outcome=outcome, idempotencyKey=key, requeues=items)


def _item(task_id: str, result: Position | Exception) -> dict[str, Any]:
    if isinstance(result, Position):
        position = {"topic": result.topic, "partition": result.partition, "offset": result.offset}
        return {"taskId": task_id, "position": position}
    return {"taskId": task_id, "outcome": "refused" if isinstance(result, Refused) else "unknown"}
