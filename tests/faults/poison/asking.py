"""Asks the api everything it must refuse, some requests at a time, and notes every answer that is not as it should."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from pydantic import ValidationError
from yarl import URL

from streamapp.api.models import BatchAnswer, ProblemDocument
from tests.faults.poison.broken_json import CANARY
from tests.faults.poison.described import Description
from tests.faults.poison.raw_requests import Said, conversation, status_of
from tests.faults.poison.requests import Asked

AT_ONCE = 8
PROBLEM = "application/problem+json"

T = TypeVar("T")


@dataclass
class Answers:
    """What came of it. `complaints`: answers that are wrong, in words; `statuses` and `families` count."""

    complaints: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)

    def note(self, family: str, status: int, complaint: str | None) -> None:
        """Keep one answer."""
        self.families[family] += 1
        self.statuses[status] += 1
        if complaint is not None:
            self.complaints.append(f"{family}: {complaint}")


async def description_of(url: str) -> Description:
    """What the api says of itself."""
    async with aiohttp.ClientSession() as session, session.get(url + "/openapi.json") as response:
        return Description(await response.json())


async def ask_all(url: str, asked: Iterable[Asked], answers: Answers, description: Description) -> None:
    """Send requests over a few connections that are kept; every answer must also be one that is described."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:

        async def ask(request: Asked) -> None:
            address = URL(url + request.path, encoded=True)
            data = io.BytesIO(request.body)
            async with session.request(request.method, address, data=data, headers=dict(request.headers)) as response:
                body = await response.read()
                complaint = _judged(request, response, body)
                if complaint is None:
                    kind = response.content_type
                    odd = description.complaints(request.path, request.method, response.status, kind, body)
                    complaint = "; ".join(odd) or None
                answers.note(request.family, response.status, complaint)

        await _some_at_once(list(asked), ask)


async def say_all(url: str, said: Sequence[Said], answers: Answers) -> None:
    """Say what no client library would, each on a connection of its own."""

    async def say(what: Said) -> None:
        answer = await conversation(url, what)
        status = status_of(answer)
        fine = status in what.statuses and PROBLEM.encode() in answer and CANARY.encode() not in answer
        answers.note(what.family, status, None if fine else f"{what.pieces[0][:120]!r}: {answer[:200]!r}")

    await _some_at_once(list(said), say)


async def _some_at_once(todo: list[T], do: Callable[[T], Awaitable[None]]) -> None:
    waiting = iter(todo)

    async def work() -> None:
        for item in waiting:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


def _judged(request: Asked, response: aiohttp.ClientResponse, body: bytes) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    said = f"{request.body[:200]!r} {dict(request.headers)}: {response.status} {body[:300]!r}"
    if CANARY.encode() in body:
        return f"it quotes what was submitted: {said}"
    if response.status != request.status:
        return f"not {request.status}: {said}"
    try:
        document = json.loads(body)
        if response.status == 207:
            return _items(request, BatchAnswer.model_validate(document).model_dump()["items"], said)
        if response.content_type != PROBLEM:
            return f"no problem document: {said}"
        problem = ProblemDocument.model_validate(document)
    except (ValueError, ValidationError) as error:
        return f"{error}: {said}"
    return _named(request, problem, said)


def _named(request: Asked, problem: ProblemDocument, said: str) -> str | None:
    if request.items:
        return _items(request, [item.model_dump() for item in problem.items or ()], said)
    if request.pointer is not None and request.pointer not in [error.pointer for error in problem.errors]:
        return f"{request.pointer!r} is not named: {said}"
    if request.word not in problem.detail:
        return f"{request.word!r} is not named: {said}"
    if (problem.recorded or False) is not (request.recorded is not None):
        return f"recorded should be {request.recorded is not None}: {said}"
    if request.recorded is not None and problem.taskId != request.recorded:
        return f"taskId should be {request.recorded}: {said}"
    return None


def _items(request: Asked, items: list[dict[str, Any]], said: str) -> str | None:
    for wanted, item in zip(request.items, items, strict=True):
        if wanted is None and item["status"] != 202:
            return f"the good task is not accepted: {said}"
        if wanted is not None and wanted not in [error["pointer"] for error in item.get("errors", ())]:
            return f"{wanted!r} is not named in {item}: {said}"
    return None
