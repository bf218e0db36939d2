"""The real `Guard` on a line that can fail: every call is seen by the oracle, and its answer may get lost on the way.

In: a Redis of the test's own and the fates of the next calls. Out: guards whose scripts run behind fake time. What is
swapped of a `Guard` is its two connections, each for a subclass that carries the same calls; everything else is the
product's own.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import redis
import redis.asyncio
from redis.exceptions import ConnectionError as Disconnected

import streamapp.guard.calls as calls_module
import streamapp.guard.epoch as epoch_module
import streamapp.guard.lease as lease_module
from streamapp.domain.errors import Unavailable
from streamapp.guard import Guard
from streamapp.guard.calls import Calls
from streamapp.guard.lease import LeaseKeeper, LeaseTerms
from streamapp.guard.scripts import Script
from tests.model.guard_answers import LEASE_MS, MAX_DEATHS, RETENTION_MS
from tests.model.guard_time import Error, ScriptBook, TimeKeeper

PREFIX = "model:"
Saw = Callable[[str, str, Sequence[str], Sequence[Any], Any], None]


class Bench:
    """One Redis, one event loop and one set of scripts for many lives, one after the other."""

    def __init__(self, url: str, book: ScriptBook) -> None:
        self.url, self.book = url, book
        self.loop = asyncio.new_event_loop()
        self.plain = redis.Redis.from_url(url)
        self.redis = redis.asyncio.Redis.from_url(url)

    @classmethod
    @contextmanager
    def open(cls, url: str, errors: Sequence[Error] = ()) -> Iterator["Bench"]:
        """As long as it is open, all guards share two connections, and a rebuild sends the bench's scripts."""
        bench = cls(url, ScriptBook(errors))
        sent = {name: bench.book(script) for name, script in vars(epoch_module).items() if isinstance(script, Script)}
        try:
            with (
                patch.object(calls_module, "Redis", SimpleNamespace(from_url=lambda *_, **__: bench.redis)),
                patch.object(lease_module, "Redis", SimpleNamespace(from_url=lambda *_, **__: bench.plain)),
                patch.multiple(epoch_module, BATCH=1, **sent),
            ):
                yield bench
        finally:
            bench.loop.run_until_complete(bench.redis.aclose())
            bench.plain.close()
            bench.loop.close()


class Line:
    """One process's connection. `fates` of its next calls: ok, lost (run, but no answer), unasked, late, held."""

    def __init__(self, worker: str, bench: Bench, saw: Saw, stalled: list[Callable[[], None]]) -> None:
        self.worker, self.bench = worker, bench
        self.fates: deque[str] = deque()
        self.held, self.let_go = asyncio.Event(), asyncio.Event()
        self._saw, self._stalled = saw, stalled

    def send(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> str:
        """A call leaves. Returns its fate.

        Raises:
            Disconnected: it comes to nothing, or will be run later.
        """
        fate = self.fates.popleft() if self.fates else "ok"
        if fate == "late":
            self._stalled.append(lambda: self._run_late(script, keys, arguments))
        if fate in ("late", "unasked"):
            raise Disconnected(fate)
        return fate

    async def answer(self, fate: str, script: Script, keys: Sequence[str], arguments: Sequence[Any], reply: Any) -> Any:
        """The script has run: its answer comes, or is held up until `let_go`, or does not come."""
        self.received(fate, script, keys, arguments, reply)
        if fate == "held":
            self.held.set()
            await self.let_go.wait()
        return reply

    def received(self, fate: str, script: Script, keys: Sequence[str], arguments: Sequence[Any], reply: Any) -> None:
        """The script has run: the oracle sees what it answered, the asker perhaps not."""
        self._saw(script.name, self.worker, keys, arguments, reply)
        if fate == "lost":
            raise Disconnected("the answer was lost")

    def _run_late(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> None:
        """A call whose asker gave up waiting reaches Redis after all."""
        reply = self.bench.plain.eval(self.bench.book(script).source, len(keys), *keys, *arguments)
        self._saw(script.name, self.worker, keys, arguments, reply)


class WatchedCalls(Calls):
    """The event loop's connection."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.bench.url, 5.0)
        self._line = line

    def __call__(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> "asyncio.Future[list[Any]]":
        return asyncio.ensure_future(self._asked(script, keys, arguments))

    async def _asked(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> list[Any]:
        try:
            fate = self._line.send(script, keys, arguments)
            reply = await super().__call__(self._line.bench.book(script), keys, arguments)
            answer: list[Any] = await self._line.answer(fate, script, keys, arguments, reply)
            return answer
        except Disconnected as error:
            raise Unavailable(f"Redis: {error}") from error


class WatchedKeeper(LeaseKeeper):
    """The lease thread's connection. The thread is never started: the model says when leases are renewed."""

    def __init__(self, line: Line, terms: LeaseTerms, guard: Guard, clock: TimeKeeper) -> None:
        super().__init__(line.bench.url, guard._keys, terms, clock, None)
        self._line = line

    def renew_all(self) -> None:
        """One turn of the thread."""
        self._beat()
        try:
            self._renew()
        except (redis.RedisError, OSError):
            return  # as the thread does: it tries again a third of a lease later

    def _call(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        fate = self._line.send(script, keys, arguments)
        reply = super()._call(self._line.bench.book(script), keys, arguments)
        self._line.received(fate, script, keys, arguments, reply)
        return reply


class WatchedGuard(Guard):
    """The guard of one process on its line."""

    def __init__(self, line: Line, clock: TimeKeeper) -> None:
        super().__init__(
            line.bench.url,
            prefix=PREFIX,
            worker=line.worker,
            lease_seconds=LEASE_MS / 1000,
            retention_seconds=RETENTION_MS / 1000,
            max_deaths=MAX_DEATHS,
            finished_jobs_kept=5,
            timeout_seconds=5,
            clock=clock,
        )
        terms = LeaseTerms(line.worker, self._lease_ms, self._retention_ms)
        self.line = line
        self._calls = WatchedCalls(line)
        self.leases = self._leases = WatchedKeeper(line, terms, self, clock)

    async def given_back(self) -> None:
        """Claims that nobody waits for any more have been given back."""
        for _ in range(5):  # turns of the loop, from an answer to the release that follows from it
            await asyncio.sleep(0)
        if self._returning:
            await asyncio.wait(self._returning)
