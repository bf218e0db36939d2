"""One simulated process, from its start to its death, at whatever place that comes.

Whatever a process does to the world outside goes through `Life.step`, once before the effect and once after it: these
are all the places where its death can make a difference. A dead process takes no further step; its tasks are cancelled,
and what they do while they end reaches nobody.
"""

import asyncio
import contextvars
import random
from collections.abc import Coroutine
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


class Life:
    """A process. `fuse`: it dies at so many steps from now; None if it may live."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.dead = False
        self.fuse: int | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self.chance = chance
        self._thawed = asyncio.Event()
        self._thawed.set()

    def __repr__(self) -> str:
        return self.name

    @property
    def frozen(self) -> bool:
        """Stopped (SIGSTOP)."""
        return not self._thawed.is_set()

    def freeze(self) -> None:
        """Stop it where it stands."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Let it go on."""
        self._thawed.set()

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
        if not self.frozen and self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
        if self.frozen:
            await self._thawed.wait()
        if self.dead:
            raise asyncio.CancelledError

    def _latency(self) -> float | None:
        """Seconds; None where nobody else gets a turn."""
        kind = self.chance.random()
        if kind < 0.25:
            return None
        if kind < 0.5:
            return 0.0
        return self.chance.random() * (0.004 if kind < 0.9 else 0.08)
