"""HTTP calls of the commands: submissions go to the api, questions to the diary."""

from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout

from streamapp.domain.errors import Unavailable
from streamapp.settings import Settings
from streamapp.wire import json

TIMEOUT = ClientTimeout(total=30)


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


async def ask_diary(settings: Settings, path: str) -> tuple[int, Any]:
    """GET a view of the diary. Returns status and body.

    Raises:
        Unavailable: the diary cannot be reached.
    """
    return await call("GET", f"http://{_host(settings.diary.host)}:{settings.diary.port}{path}")


def task_path(task_id: str) -> str:
    """The path of a task's view."""
    return f"/v1/tasks/{quote(task_id, safe='')}"


async def call(method: str, url: str, *, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """One HTTP request with JSON both ways."""
    try:
        async with (
            ClientSession(timeout=TIMEOUT) as session,
            session.request(method, url, json=body, headers=headers) as response,
        ):
            return response.status, json.parse(await response.read())
    except (ClientError, TimeoutError, json.Malformed) as error:
        raise Unavailable(f"{url}: {type(error).__name__}: {error}. Is it running? `streamapp status` tells") from error


def _host(bound: str) -> str:
    return "127.0.0.1" if bound in ("0.0.0.0", "::") else bound  # noqa: S104 - asked for, not bound
