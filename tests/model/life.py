"""One simulated process, from its start to its death, at whatever place that comes.

Whatever a process does to the world outside goes through `Life.step`, once before the effect and once after it: these
are all the places where its death can make a difference. A dead process takes no further step; its tasks are cancelled,
and what they do while they end reaches nobody. In a frozen one nothing happens at all, timers included, until it thaws.
"""

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine
from typing import Any

TASKS_BEFORE_CLEANING = 64

_living: contextvars.ContextVar["Life | None"] = contextvars.ContextVar("living", default=None)


def note_task(task: asyncio.Task[Any]) -> None:
    """A task belongs to the process that made it."""
    life = _living.get()
    if life is None:
        return
    if len(life.tasks) >= TASKS_BEFORE_CLEANING:
        life.tasks = [known for known in life.tasks if not known.done()]
    life.tasks.append(task)


def parked(handle: asyncio.Handle) -> bool:
    """Whether what is about to run belongs to a frozen process, which will run it when it thaws."""
    life = handle._context.get(_living)  # type: ignore[attr-defined]
    if life is None or not life.frozen:
        return False
    life.parked.append(handle)
    return True


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()  # type: ignore[attr-defined]


def outside(seconds: float, callback: Callable[..., Any], *arguments: Any) -> None:
    """Something happens later, outside of all processes: on the network, or in a broker."""
    asyncio.get_running_loop().call_later(seconds, callback, *arguments, context=contextvars.Context())


class Life:
    """A process. `fuse`: it dies at so many steps from now; None if it may live. `frost`: so it stands still."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.dead = False
        self.fuse: int | None = None
        self.frost: tuple[int, Callable[[], None]] | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self.chance = chance
        self.frozen = False
        self.parked: list[asyncio.Handle] = []
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return self.name

    def freeze(self) -> None:
        """Stop it where it stands (SIGSTOP)."""
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self.frozen = False
        for handle in self.parked:
            self._loop.call_soon(_run, handle, context=contextvars.Context())
        self.parked.clear()

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process."""
        token = _living.set(self)
        try:
            return asyncio.get_running_loop().create_task(coroutine)
        finally:
            _living.reset(token)

    def kill(self) -> None:
        """SIGKILL."""
        self.dead = True
        self.thaw()
        for task in self.tasks.copy():
            task.cancel()

    async def step(self) -> None:
        """Before an effect, and again after it: time passes, and this may be where the process ends."""
        latency = self._latency()
        if latency is not None:
            await asyncio.sleep(latency)
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
        if self.frost is not None:
            await self._cool(*self.frost)
        if self.dead:
            raise asyncio.CancelledError

    async def _cool(self, steps: int, stand_still: Callable[[], None]) -> None:
        self.frost = (steps - 1, stand_still) if steps else None
        if not steps:
            stand_still()
            await asyncio.sleep(0)  # until it thaws

    def _latency(self) -> float | None:
        """Seconds; None where nobody else gets a turn."""
        kind = self.chance.random()
        if kind < 0.25:
            return None
        if kind < 0.5:
            return 0.0
        return self.chance.random() * (0.004 if kind < 0.9 else 0.08)
