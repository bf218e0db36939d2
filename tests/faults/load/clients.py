"""Clients of the fault suite: submit tasks at a steady rate, over HTTP and as events, and note what they are told.

A timeout, a lost connection and a 503 are `unknown` unless the api says that it refused: then the client, as a careful
user would, submits the same task again under the same id until it is told something certain.
"""

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka.errors import KafkaError

from streamapp.wire.json import canonical
from tests.faults.load.types import MIX
from tests.support.kafka import Kafka

TIMEOUT = aiohttp.ClientTimeout(total=6)
PAUSE_SECONDS = 0.3


class Clients:
    """Submits to any of `urls`; every `event_share`-th task goes through consume-event instead."""

    def __init__(self, kafka: Kafka, events_topic: str, answers: Path, *, seed: int, event_share: int = 4) -> None:
        self.urls: Sequence[str] = ()
        self._kafka = kafka
        self._topic = events_topic
        self._answers = answers.open("a", buffering=1)
        self._random = random.Random(seed)
        self._seed = seed
        self._event_share = event_share
        self._number = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._pouring: asyncio.Task[None] | None = None
        self.rate = 0.0
        self.events: set[str] = set()
        self.certain: set[str] = set()

    @property
    def told(self) -> set[str]:
        """Tasks that must be in the diary: accepted over HTTP, or events that Kafka has acknowledged."""
        return self.certain | self.events

    def pour(self, rate: float) -> None:
        """Submit `rate` tasks a second from now on."""
        self.rate = rate
        if self._pouring is None:
            self._pouring = asyncio.create_task(self._pour())

    async def stop(self) -> None:
        """Submit nothing new, and wait until everybody has been told something certain."""
        if self._pouring is not None:
            self._pouring.cancel()
            await asyncio.gather(self._pouring, return_exceptions=True)
            self._pouring = None
        await asyncio.gather(*self._under_way)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def abandon(self) -> None:
        """Stop at once."""
        for task in [*self._under_way, *([self._pouring] if self._pouring else [])]:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._answers.close()

    async def submit(self, type: str) -> str:
        """Submit one task over HTTP until it is accepted; its id."""
        self._number += 1
        task_id = f"c{self._seed}-{self._number}"
        await self._submit(task_id, type)
        return task_id

    def note_accepted(self, task_id: str, task: dict[str, Any]) -> None:
        """Somebody else was told that this task is accepted."""
        now = time.time_ns() // 1_000_000
        fingerprint = _fingerprint(task["type"], task["payload"])
        self._answers.write(json.dumps(_answer(now, task_id, "accepted", 202, fingerprint)) + "\n")
        self.certain.add(task_id)

    async def _pour(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + 1 / self.rate, time.monotonic() - 1)
            await asyncio.sleep(max(due - time.monotonic(), 0))
            self._number += 1
            (kind,) = self._random.choices(list(MIX), list(MIX.values()))
            task_id = f"c{self._seed}-{self._number}"
            by_event = self._number % self._event_share == 0
            sending = asyncio.create_task((self._produce if by_event else self._submit)(task_id, kind))
            self._under_way.add(sending)
            sending.add_done_callback(self._under_way.discard)

    async def _produce(self, task_id: str, type: str) -> None:
        event = {
            "eventId": task_id,
            "timestamp": time.time_ns() // 1_000_000,
            "type": type,
            "payload": _payload(task_id),
        }
        while True:
            renewals = self._kafka.renewals
            try:
                await self._kafka.append(self._topic, [(task_id.encode(), json.dumps(event).encode())])
            except Exception:  # whatever a plain producer says while Kafka is away: the producer of events tries again
                await asyncio.sleep(PAUSE_SECONDS)
                with contextlib.suppress(KafkaError, OSError):
                    await self._kafka.renew(renewals)
                continue
            self.events.add(task_id)
            return

    async def _submit(self, task_id: str, type: str) -> None:
        submission = {"type": type, "payload": _payload(task_id), "taskId": task_id}
        fingerprint = _fingerprint(type, submission["payload"])
        while True:
            begun = time.time_ns() // 1_000_000
            outcome, status = await self._ask(submission)
            self._answers.write(json.dumps(_answer(begun, task_id, outcome, status, fingerprint)) + "\n")
            if outcome == "accepted":
                self.certain.add(task_id)
                return
            if outcome == "invalid":
                raise AssertionError(f"{task_id}: the api says {status} to a valid submission")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self, submission: dict[str, Any]) -> tuple[str, int | None]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        try:
            url = self._random.choice(self.urls) + "/v1/tasks"
            async with self._session.post(url, json=submission) as response:
                body = await response.json(content_type=None)
        except (OSError, TimeoutError, aiohttp.ClientError, ValueError):
            return "unknown", None
        if response.status == 202:
            return "accepted", 202
        if response.status == 503:
            return body.get("outcome", "unknown"), 503
        return "invalid", response.status


def _fingerprint(type: str, payload: Any) -> str:
    """As `streamapp.audit.evidence.Answer` wants it."""
    return hashlib.sha256(canonical({"type": type, "payload": payload})).hexdigest()


def _payload(task_id: str) -> dict[str, str]:
    return {"note": f"payload of {task_id}"}


def _answer(begun: int, task_id: str, outcome: str, status: int | None, fingerprint: str) -> dict[str, Any]:
    ended = time.time_ns() // 1_000_000
    return {
        "at": begun,
        "ended": ended,
        "task_id": task_id,
        "outcome": outcome,
        "status": status,
        "fingerprint": fingerprint,
    }
