"""`streamapp guard rebuild` in the guard's model: the product's own command, one step at a time.

In: the diary as it is when it is read, and orders to go on. Out: claims in Redis, and in the end the epoch. Between two
of its steps anything may happen, and it may end at any of them.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

import redis.asyncio
import redis.asyncio.client

import streamapp.cli.setup as setup_module
from streamapp.domain.errors import Unavailable
from streamapp.domain.task import Task
from streamapp.settings import GuardSettings, Settings
from tests.model.guard_answers import RETENTION_MS
from tests.model.guard_diary import Diary
from tests.model.guard_door import WatchedGuard
from tests.model.guard_memory import Told, told_by
from tests.model.guard_oracle import Oracle
from tests.model.guard_time import TimeKeeper

SETTINGS = Settings(guard=GuardSettings(retention_seconds=RETENTION_MS / 1000))
_running: ContextVar["Rebuild"] = ContextVar("running")


@contextmanager
def command_in_the_model() -> Iterator[None]:
    """As long as this is open the command reads the model's diary and clock."""

    async def fold_all(*_: Any) -> tuple[dict[str, Task], dict[str, int], list[str]]:
        return await _running.get().read_diary(), {}, []

    with (
        patch.object(setup_module, "fold_all", fold_all),
        patch.object(setup_module, "SystemClock", lambda: _running.get().clock),
    ):
        yield


class GatedPipeline(redis.asyncio.client.Pipeline):
    """Sends its commands when the rebuild may go on."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One record of a task: EVALSHA, digest, 1, key, …"""
        self.task_id = str(args[3]).rpartition("task:")[2]
        return super().execute_command(*args, **options)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """All of it."""
        rebuild = _running.get()
        await rebuild.may_go_on()
        replies = await super().execute(raise_on_error)
        rebuild.oracle.rebuilt(self.task_id, rebuild.told.get(self.task_id))
        return replies


class GatedRedis(redis.asyncio.Redis):
    """Sends each command when the rebuild may go on; the time it tells is the model's."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command."""
        await _running.get().may_go_on()
        return await super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> GatedPipeline:
        """See `GatedPipeline`."""
        return GatedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    async def time(self, **_: Any) -> tuple[int, int]:
        """Redis's time."""
        now = _running.get().clock.now_ms()
        return now // 1000, now % 1000 * 1000


class Rebuild:
    """One run of the command. `told` is what the diary said when it was read; nothing before."""

    def __init__(self, guard: WatchedGuard, diary: Diary, oracle: Oracle, clock: TimeKeeper) -> None:
        self.oracle, self.clock = oracle, clock
        self.told: dict[str, Told] = {}
        self._diary = diary
        self._free = False
        self._stands, self._pushed = asyncio.Event(), asyncio.Event()
        self._loop = guard.line.bench.loop
        guard._calls.redis = GatedRedis(connection_pool=guard.line.bench.redis.connection_pool)
        self._running = self._loop.create_task(self._run(guard))

    async def _run(self, guard: WatchedGuard) -> None:
        _running.set(self)
        await setup_module.rebuild_guard(SETTINGS, guard, lambda _: None)

    @property
    def ended(self) -> bool:
        """Whether it is over, one way or the other."""
        return self._running.done()

    async def read_diary(self) -> dict[str, Task]:
        """All of it, as it is now."""
        await self.may_go_on()
        self.told = told_by(self._diary)
        return self._diary.tasks

    async def may_go_on(self) -> None:
        """Stand until `go_on`."""
        if self._free:
            return
        self._stands.set()
        await self._pushed.wait()
        self._pushed.clear()

    async def go_on(self) -> None:
        """Take the next step."""
        await self._come_to_a_stand()
        self._stands.clear()
        self._pushed.set()
        await self._come_to_a_stand()

    async def run_through(self) -> None:
        """Take all steps that are left."""
        self._free = True
        await self.go_on()

    async def break_off(self) -> None:
        """It is killed where it stands."""
        self._running.cancel()
        await asyncio.wait({self._running})

    async def _come_to_a_stand(self) -> None:
        """Wait until it stands before a step, or has ended."""
        stands = self._loop.create_task(self._stands.wait())
        await asyncio.wait({self._running, stands}, return_when=asyncio.FIRST_COMPLETED)
        stands.cancel()
        await asyncio.wait({stands})
        if self._running.done() and not self._running.cancelled():
            failed = self._running.exception()
            if failed is not None and not isinstance(failed, Unavailable):
                raise failed
