"""The role processes of an arena: started, killed, restarted at once when they die, each with its next failpoint."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.support.stack import AnyRole, Installation, RoleProcess
from tests.support.waiting import until

LOOK_SECONDS = 0.05

Plan = Iterator[str]
"""The setting STREAMAPP_FAILPOINTS of each start of a process; empty strings for one without."""


@dataclass
class Member:
    """One role process under a name that survives its restarts."""

    name: str
    role: AnyRole
    process: RoleProcess
    settings: dict[str, str]
    plan: Plan | None = None
    armed: str = ""
    starts: int = 1
    held: bool = False

    async def said(self, text: str, seconds: float = 60.0) -> None:
        """Wait until its process, whichever it is by then, has printed `text` since it was started."""
        await until(lambda: text in self.process.text(), seconds, f"{self.name} prints {text!r}", every=0.1)


@dataclass
class Members:
    """All of them. `died` is told the member and what it was armed with, each time one ends by itself."""

    made: Installation
    died: Callable[[Member], None]
    by_name: dict[str, Member] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)
    _keeping: asyncio.Task[None] | None = None

    def add(self, role: AnyRole, name: str, **settings: str) -> Member:
        """Start a role under a new name."""
        member = Member(name, role, self.made.start(role, name, **settings), settings)
        self.by_name[name] = member
        return member

    def of(self, role: AnyRole) -> list[Member]:
        """The members of a role."""
        return [member for member in self.by_name.values() if member.role == role]

    def keep(self) -> None:
        """From now on, whoever ends is started again."""
        self._keeping = asyncio.create_task(self._keep())

    async def let_go(self) -> None:
        """Start nobody again."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None

    def restart(self, member: Member) -> None:
        """Start one that has ended, with its next failpoint."""
        member.armed = next(member.plan, "") if member.plan else ""
        failpoints = {"FAILPOINTS": member.armed} if member.armed else {}
        member.process = self.made.start(member.role, member.name, **member.settings, **failpoints)
        member.starts += 1

    async def hold(self, member: Member, *, gracefully: bool = True) -> None:
        """Stop one, and do not start it again before `let`."""
        member.held = True
        if gracefully:
            await asyncio.to_thread(member.process.stop)
        else:
            member.process.kill()

    def let(self, member: Member) -> None:
        """Start one that was held."""
        self.restart(member)
        member.held = False

    def disarm(self) -> None:
        """End everybody who is still armed; the next start is without."""
        for member in self.by_name.values():
            member.plan = None
            if member.armed and member.process.running:
                member.process.kill()

    async def ready(self, seconds: float = 60.0) -> None:
        """Wait until everybody is (workers have no page and are ready when the work gets done)."""
        deadline = time.monotonic() + seconds
        for member in self.by_name.values():
            if member.role != "worker" and not member.held:
                await self._ready(member, deadline)

    async def held_partitions(self) -> dict[str, dict[str, list[int]]]:
        """Which partitions of which tables each of them holds, once they have folded everything."""
        streams = [item for item in self.by_name.values() if item.role not in ("worker", "api") and not item.held]
        found = {}
        for member in streams:
            _, answer = await member.process.get("/readyz")
            found[member.name] = answer["partitions"]
        return found

    async def retire(self, role: AnyRole) -> dict[str, int]:
        """SIGTERM to all of a role at once, for good; the exit status of each.

        One that was killed just now and is being started again would end before it can hear the signal.
        """
        retiring = [member for member in self.of(role) if not member.held]
        for member in retiring:
            await member.said(f"{role} started")
        for member in retiring:
            member.held = True
        return await self._end(retiring)

    async def stop(self) -> dict[str, int]:
        """SIGTERM to all at once; the exit status of each."""
        await self.let_go()
        return await self._end([member for member in self.by_name.values() if not member.held])

    async def _end(self, members: Sequence[Member]) -> dict[str, int]:
        for member in members:
            member.process.process.terminate()
        return {member.name: await asyncio.to_thread(member.process.ended) for member in members}

    async def _ready(self, member: Member, deadline: float) -> None:
        while True:
            process = member.process
            try:
                return await process.ready(max(deadline - time.monotonic(), 1.0))
            except AssertionError:
                if process is member.process or time.monotonic() > deadline:
                    raise  # or it was started again meanwhile

    async def _keep(self) -> None:
        while True:
            for member in self.by_name.values():
                if not member.process.running and not member.held:
                    self.deaths[member.name] += 1
                    self.died(member)
                    self.restart(member)
            await asyncio.sleep(LOOK_SECONDS)
