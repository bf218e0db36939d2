"""Calls of Lua scripts from the event loop, sent together.

In: a script, keys, arguments. Out: the script's reply, or Unavailable. Calls made while others are under way wait for
them and then go in one pipeline, those of one script in one command: many jobs cost one round trip, and Redis and its
client what a few do. Nothing is ever sent twice behind a caller's back: an answer that got lost is Unavailable, and
only the caller knows whether asking again is safe.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import hiredis
from redis.asyncio import Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from streamapp.domain.errors import Unavailable
from streamapp.guard.scripts import Script, batched
from streamapp.metrics.guard import GuardMetrics
from streamapp.pace import Pace, Turns
from streamapp.telemetry import describe

Argument = str | int | bytes
TURNS = partial(Turns, longest=0.008, freely=1_000, fully=6_000)
"""How far pipelines are apart, by calls a second."""
MAX_PIPELINE = 200
"""Calls in one pipeline: bounds how long a reply can wait for the others."""


class _Connection(Connection):
    """Packs commands with hiredis, which redis-py does in its synchronous client only."""

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [b"".join(hiredis.pack_command(tuple(command)) for command in commands)]


@dataclass(slots=True)
class _Call:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Argument]
    reply: asyncio.Future[Any]


class Calls:
    """Sends script calls over an asyncio client. `timeout_seconds` bounds one pipeline."""

    def __init__(self, redis_url: str, timeout_seconds: float, metrics: GuardMetrics | None = None) -> None:
        self._metrics = metrics or GuardMetrics()
        self.redis: Redis = Redis.from_url(
            redis_url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            connection_class=_Connection,  # an address with TLS, or of a socket, still brings its own
        )
        self._timeout_seconds = timeout_seconds
        self._waiting: deque[_Call] = deque()
        self._pace = Pace(TURNS())
        self._sender: asyncio.Task[None] | None = None

    def __call__(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> "asyncio.Future[list[Any]]":
        """The script's reply, to be awaited: the call is made whether or not anybody does.

        The second key is the task's: calls about one task are made in the order they came. The future says Unavailable
        if Redis is away, did not answer in time, or refused (out of memory, read-only, no permission).
        """
        self._metrics.called(script.name)
        reply = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(script, keys, arguments, reply))
        self._pace.came()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all(), name="guard-calls")
        return reply

    async def close(self) -> None:
        """Fail what waits and close the connections."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait({self._sender})
        self._fail(list(self._waiting), Unavailable("the guard is closed"))
        self._waiting.clear()
        await self.redis.aclose()

    async def _send_all(self) -> None:
        while self._waiting:
            await self._pace.turn()
            calls = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_PIPELINE))]
            begun = self._metrics.now()
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._send(calls)
                self._metrics.round_trip.observe(self._metrics.now() - begun)
            except (RedisError, OSError) as error:  # asyncio's TimeoutError is an OSError
                self._fail(calls, Unavailable(f"Redis: {describe(error)}"))
            except asyncio.CancelledError:
                self._fail(calls, Unavailable("the guard was closed before Redis answered"))
                raise

    async def _send(self, calls: Sequence[_Call]) -> None:
        unknown = await self._pipeline(calls)
        if unknown:  # a Redis that was restarted or flushed has forgotten the scripts, and has not run them
            for script in {call.script for call in unknown}:
                await self.redis.script_load(script.source)
                await self.redis.script_load(batched(script).source)
            for call in await self._pipeline(unknown):
                self._fail([call], Unavailable("Redis does not keep the guard's scripts"))

    async def _pipeline(self, calls: Sequence[_Call]) -> list[_Call]:
        groups = _grouped(calls)
        pipeline = self.redis.pipeline(transaction=False)
        for group in groups:
            pipeline.execute_command(*_command(group))
        unknown: list[_Call] = []
        for group, reply in zip(groups, await pipeline.execute(raise_on_error=False), strict=True):
            if isinstance(reply, NoScriptError):
                unknown += group
            elif isinstance(reply, Exception):
                self._fail(group, Unavailable(f"Redis: {describe(reply)}"))
            else:
                self._answer(group, [reply] if len(group) == 1 else reply)
        return unknown

    def _answer(self, calls: Sequence[_Call], replies: Sequence[Any]) -> None:
        for call, reply in zip(calls, replies, strict=True):
            if isinstance(reply, Exception):
                self._fail([call], Unavailable(f"Redis: {describe(reply)}"))
            elif not call.reply.done():
                call.reply.set_result(reply)

    def _fail(self, calls: Sequence[_Call], error: Unavailable) -> None:
        for call in calls:
            if not call.reply.done():
                self._metrics.unavailable.add()
                call.reply.set_exception(error)


def _grouped(calls: Sequence[_Call]) -> list[list[_Call]]:
    """Calls that can go as one command, in an order in which those of one task stay as they came."""
    groups: list[list[_Call]] = []
    alike: dict[tuple[Script, int, int], list[_Call]] = {}
    last_of_task: dict[str, list[_Call]] = {}
    for call in calls:
        kind, task = (call.script, len(call.keys), len(call.arguments)), call.keys[1]
        group = alike.get(kind)
        if last_of_task.get(task, group) is not group:
            alike, last_of_task, group = {}, {}, None
        if group is None:
            group = alike[kind] = []
            groups.append(group)
        group.append(call)
        last_of_task[task] = group
    return groups


def _command(calls: Sequence[_Call]) -> list[Argument]:
    """Calls of one script, with as many keys and arguments each, as one command."""
    first = calls[0]
    if len(calls) == 1:
        return ["EVALSHA", first.script.digest, len(first.keys), *first.keys, *first.arguments]
    keys = chain.from_iterable(call.keys for call in calls)
    arguments = chain.from_iterable(call.arguments for call in calls)
    return ["EVALSHA", batched(first.script).digest, len(calls) * len(first.keys), *keys, len(calls), *arguments]
