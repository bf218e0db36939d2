"""An event loop whose time passes only when nothing else can be done: hours take milliseconds, and nothing is left to
chance. It does no I/O; a loop with nothing to wait for has a deadlock, and says so.
"""

import asyncio
import heapq
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

RESOLUTION = 1e-6
"""Timers that are no further apart fire in the same turn."""
TURNS_AT_ONCE = 100_000
"""So many turns without any time passing are a bug."""


class VirtualLoop(BaseEventLoop):
    """`born` is told of every task that is made, with the context it runs in; `parked` keeps what is not to run now."""

    def __init__(self, born: Callable[[asyncio.Task[Any]], None], parked: Callable[[asyncio.Handle], bool]) -> None:
        super().__init__()
        self._now = 0.0
        self._born, self._parked = born, parked
        self._tasks_made = self._turns = 0
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def _run_once(self) -> None:
        """One turn: what is ready now. If nothing is, the clock jumps to the next timer first.

        Overrides asyncio's own turn, which would ask a selector each time: half the time of a whole run.
        """
        ready: Any = self._ready  # type: ignore[attr-defined]
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0].cancelled():
            _forget(timers)
        self._turns += 1
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not timers:
                raise RuntimeError("nothing will ever happen again")
            if timers[0].when() > self._now + RESOLUTION:
                self._now, self._turns = timers[0].when(), 0
        if self._turns > TURNS_AT_ONCE:
            raise RuntimeError("time stands still: somebody is busy with nothing")
        while timers and (timers[0].when() <= self._now + RESOLUTION or timers[0].cancelled()):
            timer = _forget(timers)
            if not timer.cancelled():
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled and not self._parked(handle):
                handle._run()

    def _process_events(self, events: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], context: Context | None = None
    ) -> asyncio.Task[Any]:
        self._tasks_made += 1
        task = _Task(coroutine, self._tasks_made, loop=loop, context=context)
        self._born(task)
        return task


class _Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory: the same life twice is the same."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int, **more: Any) -> None:
        self._number = number
        super().__init__(coroutine, **more)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


def _forget(timers: list[asyncio.TimerHandle]) -> asyncio.TimerHandle:
    """Take the next timer out."""
    timer = heapq.heappop(timers)
    timer._scheduled = False  # type: ignore[attr-defined]
    return timer
