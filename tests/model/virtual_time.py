"""An event loop whose time passes only when nothing else can be done: hours take milliseconds, and nothing is left to
chance. It does no I/O; a loop with nothing to wait for has a deadlock, and says so.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any


class _NoFiles(selectors.SelectSelector):
    """Waits for nothing but time, and that at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`born` is told of every task that is made, with the context it runs in."""

    def __init__(self, born: Callable[[asyncio.Task[Any]], None]) -> None:
        self._virtual = _NoFiles()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-6
        self._born = born
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual.now

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], context: Context | None = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context)
        self._born(task)
        return task
