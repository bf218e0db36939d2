"""What the guard answers, and what it promises to the worker, whoever stands behind it.

Values and a protocol only: no Redis here.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import Token


class GuardNotReady(Unavailable):
    """Redis answers but has forgotten (FLUSHALL, an empty restart): nothing runs until the guard has been rebuilt."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to one attempt of one task, for as long as `token` is the task's highest."""

    task_id: str
    attempt: int
    token: Token


@dataclass(frozen=True, slots=True)
class Claimed:
    """Run it. `alone`: the last claimant died, so nothing else should run beside it; `deaths`: workers that died so.

    `takeover`: an earlier claim was given up by its lease, not by its worker.
    """

    claim: Claim
    alone: bool
    deaths: int
    takeover: bool

    @property
    def token(self) -> Token:
        """Fencing token of the claim."""
        return self.claim.token


@dataclass(frozen=True, slots=True)
class Held:
    """Another claim of the task lives. Ask again after `retry_after_seconds` (its lease, as it stands now)."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class Known:
    """The outcome is known; do not run. `record` is the fact to append again, None when the diary has it for sure."""

    claim: Claim
    record: bytes | None


@dataclass(frozen=True, slots=True)
class Superseded:
    """Attempt `attempt` of the task was claimed since, or completed it: this one must not run."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Doomed:
    """Too many workers died of it: record that instead of running. `started`: a start of this attempt is recorded."""

    claim: Claim
    deaths: int
    started: bool


Answer: TypeAlias = Claimed | Held | Known | Superseded | Doomed


class Claims(Protocol):
    """What a worker needs of the guard.

    Every coroutine raises Unavailable when Redis does not answer and GuardNotReady when it has forgotten; then nothing
    is known and the question may be asked again.
    """

    async def claim(self, task_id: str, attempt: int, first_attempt: int = 1) -> Answer:
        """Ask to run an attempt. A claim is renewed from then on until it is completed, released or lost.

        `first_attempt` is the one that the task's last requeue has opened. An earlier one stands in the way only while
        it runs, and is Known only until its outcome is recorded; its success and its deaths count no more.
        A claim of this very worker that still lives is Held like any other: an answer that was lost on the way.
        """

    async def confirm(self, claim: Claim) -> bool:
        """Whether the claim is still the current one and its lease alive; to be asked once its start is recorded."""

    async def complete(self, claim: Claim, record: bytes, *, succeeded: bool) -> bool:
        """Keep the outcome (an encoded fact) with the claim. False: the claim is lost, nothing was kept."""

    async def ended(self, claim: Claim) -> bool:
        """The kept outcome is durable in the diary."""

    async def release(self, claim: Claim) -> bool:
        """Give the claim back unfinished; counts as no death."""

    def keep(self, claim: Claim, seconds: float | None) -> None:
        """Renew for at most `seconds` more, even if a handler blocks the event loop; with None while the loop lives."""
