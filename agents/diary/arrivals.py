"""Waiting for the fold: until a task has changed, or until a partition is folded up to somewhere.

In: what each batch has changed, once it is folded. Out: those who wait are woken. Costs the fold nothing while nobody
waits.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

MAX_WAITING = 1_000


class TooMany(Exception):
    """So many wait already that another one is refused."""


class Arrivals:
    """Who waits for what."""

    def __init__(self) -> None:
        self._tasks: dict[bytes, set[asyncio.Future[None]]] = {}
        self._places: dict[int, set[asyncio.Future[None]]] = {}
        self._waiting = 0

    def arrived(self, partition: int, tasks: Mapping[bytes, Any]) -> None:
        """Wake those who wait for one of `tasks` or for this partition."""
        if not self._waiting:
            return
        for key in self._tasks.keys() & tasks.keys():
            _wake(self._tasks[key])
        _wake(self._places.get(partition, set()))

    async def of_task(self, key: bytes, seconds: float) -> None:
        """Wait until something about a task has arrived, or for so long.

        Raises:
            TooMany: more than `MAX_WAITING` wait.
        """
        await self._wait(self._tasks, key, seconds)

    async def of_partition(self, partition: int, seconds: float) -> None:
        """Wait until a batch of a partition has arrived, or for so long.

        Raises:
            TooMany: more than `MAX_WAITING` wait.
        """
        await self._wait(self._places, partition, seconds)

    async def _wait(self, places: dict[Any, set[asyncio.Future[None]]], key: Any, seconds: float) -> None:
        if self._waiting >= MAX_WAITING:
            raise TooMany
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        places.setdefault(key, set()).add(future)
        self._waiting += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await future
        finally:
            self._waiting -= 1
            places[key].discard(future)
            if not places[key]:
                del places[key]


def _wake(waiting: set[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
