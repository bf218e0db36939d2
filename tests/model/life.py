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

_living: contextvars.ContextVar["Life | None"] = contextvars.ContextVar("living", default=None)


def note_task(task: asyncio.Task[Any]) -> None:
    """A task belongs to the process that made it."""
    life = _living.get()
    if life is not None:
        life.tasks.add(task)
        task.add_done_callback(life.tasks.discard)


class Life:
    """A process. `fuse`: it dies at so many steps from now; None if it may live."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.dead = False
        self.fuse: int | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self._chance = chance
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
        for task in list(self.tasks):
            task.cancel()

    async def step(self) -> None:
        """Before an effect, and again after it: time passes, and this may be where the process ends."""
        await asyncio.sleep(self._latency())
        if not self.frozen and self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
        await self._thawed.wait()
        if self.dead:
            raise asyncio.CancelledError

    def _latency(self) -> float:
        kind = self._chance.random()
        if kind < 0.5:
            return 0.0
        return self._chance.random() * (0.004 if kind < 0.9 else 0.08)
