"""HTTP calls of the commands: submissions go to the api, questions to the diary."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from streamapp.domain.errors import Unavailable
from streamapp.settings import Settings

SECONDS = 30.0
"""How long an answer may take, unless the question says otherwise."""


async def submit(settings: Settings, task: dict[str, Any], idempotency_key: str | None) -> tuple[int, Any]:
    """POST a task. Returns status and body.

    Raises:
        Unavailable: the api cannot be reached.
    """
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    url = f"http://{_host(settings.api.host)}:{settings.api.port}/v1/tasks"
    return await call("POST", url, body=task, headers=headers)


async def requeue(settings: Settings, request: dict[str, Any], idempotency_key: str) -> tuple[int, Any]:
    """POST a request to requeue. Returns status and body.

    Raises:
        Unavailable: the api cannot be reached, or did not answer: sent again with the same key it is the same request.
    """
    url = f"http://{_host(settings.api.host)}:{settings.api.port}/v1/requeues"
    return await call("POST", url, body=request, headers={"Idempotency-Key": idempotency_key})


async def ask_diary(
    settings: Settings, path: str, parameters: Iterable[tuple[str, str]] = (), *, seconds: float = SECONDS
) -> tuple[int, Any]:
    """GET a view of the diary. Returns status and body.

    Raises:
        Unavailable: the diary cannot be reached, or does not answer within `seconds`.
    """
    query = urlencode(list(parameters), quote_via=quote, safe="")
    url = diary_url(settings, f"{path}?{query}" if query else path)
    return await call("GET", url, seconds=seconds)


def diary_url(settings: Settings, path: str) -> str:
    """Where a view of the diary is."""
    return f"http://{_host(settings.diary.host)}:{settings.diary.port}{path}"


def task_path(task_id: str) -> str:
    """The path of a task's view."""
    return f"/v1/tasks/{quote(task_id, safe='')}"


async def call(
    method: str, url: str, *, body: Any = None, headers: dict[str, str] | None = None, seconds: float = SECONDS
) -> tuple[int, Any]:
    """One HTTP request with JSON both ways. `url` is sent as it is: whoever made it has quoted what needs to be.

    Raises:
        Unavailable: no answer within `seconds`, or none that is JSON.
    """
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=seconds)) as session,
            session.request(method, URL(url, encoded=True), json=body, headers=headers) as response,
        ):
            return response.status, json.loads(await response.read())
    except (ClientError, TimeoutError, ValueError) as error:
        raise Unavailable(f"{url}: {type(error).__name__}: {error}. Is it running? `streamapp status` tells") from error


def _host(bound: str) -> str:
    return "127.0.0.1" if bound in ("0.0.0.0", "::") else bound  # noqa: S104 - asked for, not bound
