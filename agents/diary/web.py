"""The diary's web views: `GET /v1/tasks/{taskId}`, `/v1/totals`, `/v1/unreadable`, and health.

Tables are sharded by task id: a question about one task is forwarded to its owner, a sum asks every owner and names the
partitions that nobody answered for. With Kafka away the last known state is answered, marked stale.
"""

import asyncio
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from agents.diary.agent import Diary
from agents.diary.views import task_view, totals_view, unreadable_view
from streamapp.clock import rfc3339
from streamapp.domain.totals import Totals, merge
from streamapp.stream.freshness import Freshness
from streamapp.stream.partitions import partition_of
from streamapp.telemetry import get_log
from streamapp.wire import json
from tables import totals as totals_table

FORWARDED = "X-Streamapp-Forwarded"
MAX_FORWARDED_BYTES = 64 * 1024 * 1024

log = get_log(__name__)


class DiaryWeb:
    """Answers HTTP questions from the diary's tables. `owners` gives every diary process with its partitions."""

    def __init__(self, app: Any, diary: Diary, freshness: Freshness, *, own_url: str, timeout_seconds: float) -> None:
        self._app = app
        self._diary = diary
        self._freshness = freshness
        self._own = own_url
        self._timeout = ClientTimeout(total=timeout_seconds)
        self._partitions = diary.tasks.table.partitions

    async def task(self, request: web.Request) -> web.Response:
        """One task with its whole history; 404 if the diary knows nothing of it."""
        task_id = request.match_info["taskId"]
        key = task_id.encode("utf-8", "replace")
        partition = partition_of(key, self._partitions)
        task = self._diary.tasks.get(partition, key)
        if task is None and partition not in self._diary.tasks.table.held():
            return await self._ask_owner(request, partition, f"/v1/tasks/{quote(task_id, safe='')}")
        if task is None:
            return _problem(404, "task-unknown", "Task unknown", "the diary has no fact of a task with this id")
        return self._answer(task_view(task, self._diary.topic, partition))

    async def totals(self, request: web.Request) -> web.Response:
        """Sums over all partitions, from every owner."""
        parts = await self._parts(request)
        missing = sorted(set(range(self._partitions)) - set(parts))
        return self._answer({**totals_view(merge(list(parts.values()))), "missingPartitions": missing})

    async def unreadable(self, request: web.Request) -> web.Response:
        """The latest records of the diary that are no facts."""
        parts = await self._parts(request)
        missing = sorted(set(range(self._partitions)) - set(parts))
        records = unreadable_view(parts, self._diary.topic)
        return self._answer({"records": records, "missingPartitions": missing})

    async def parts(self, request: web.Request) -> web.Response:
        """What this process alone holds: for the other diary processes."""
        held = {
            str(partition): self._diary.totals.of(partition).totals for partition in self._diary.totals.table.held()
        }
        return web.Response(body=json.dump(held), content_type="application/json")

    async def lag(self, request: web.Request) -> web.Response:
        """Facts not yet folded, by partition held here."""
        return self._answer({"lag": {str(partition): facts for partition, facts in self._freshness.lag().items()}})

    def _answer(self, view: dict[str, Any]) -> web.Response:
        as_of = self._freshness.as_of_ms
        view["stale"] = self._freshness.stale
        view["asOf"] = None if as_of is None else rfc3339(as_of)
        return web.Response(body=json.dump(view), content_type="application/json")

    async def _parts(self, request: web.Request) -> dict[int, Totals]:
        parts = {partition: self._diary.totals.of(partition).totals for partition in self._diary.totals.table.held()}
        others = [url for url in self._owners().values() if url != self._own]
        async with ClientSession(timeout=self._timeout) as session:
            answers = await asyncio.gather(*(self._fetch_parts(session, url) for url in dict.fromkeys(others)))
        for answer in answers:
            parts.update(answer)
        return parts

    async def _fetch_parts(self, session: ClientSession, url: str) -> dict[int, Totals]:
        try:
            async with session.get(f"{url}/v1/totals/parts") as response:
                response.raise_for_status()
                found = json.parse(await response.read())
        except (ClientError, TimeoutError, json.Malformed) as error:
            log.warning("another diary process did not answer", url=url, error=str(error))
            return {}
        return {int(partition): totals_table.decode(json.dump(part)) for partition, part in found.items()}

    async def _ask_owner(self, request: web.Request, partition: int, path: str) -> web.Response:
        owner = self._owners().get(partition)
        if owner is None or owner == self._own or request.headers.get(FORWARDED):
            detail = f"partition {partition} is being taken over; try again"
            return _problem(503, "partition-recovering", "Partition recovering", detail, retry_after=1)
        try:
            async with (
                ClientSession(timeout=self._timeout) as session,
                session.get(f"{owner}{path}", headers={FORWARDED: "1"}) as response,
            ):
                body = await response.content.read(MAX_FORWARDED_BYTES)
                return web.Response(status=response.status, body=body, content_type=response.content_type)
        except (ClientError, TimeoutError) as error:
            log.warning("the owner of a partition did not answer", url=owner, partition=partition, error=str(error))
            detail = f"the process that holds partition {partition} did not answer; try again"
            return _problem(503, "owner-unreachable", "Owner unreachable", detail, retry_after=1)

    def _owners(self) -> dict[int, str]:
        """Partition → base URL of the process that holds it, as the consumer group assigned them."""
        metadata = self._app.router.table_metadata(totals_table.NAME)
        return {
            partition: str(url).rstrip("/")
            for url, topics in metadata.items()
            for partitions in topics.values()
            for partition in partitions
        }


def add_routes(router: web.UrlDispatcher, diary_web: DiaryWeb) -> None:
    """The routes of the views."""
    router.add_get("/v1/tasks/{taskId}", diary_web.task)
    router.add_get("/v1/totals", diary_web.totals)
    router.add_get("/v1/totals/parts", diary_web.parts)
    router.add_get("/v1/unreadable", diary_web.unreadable)
    router.add_get("/v1/lag", diary_web.lag)


def _problem(status: int, slug: str, title: str, detail: str, *, retry_after: int | None = None) -> web.Response:
    body = json.dump({"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail})
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)
