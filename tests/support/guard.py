"""A guard in memory that answers as the real one does: tests/contract/test_guard.py holds the two to the same words.

For tests of the worker's pipeline only. Time stands still until `let_lapse`.
"""

from dataclasses import dataclass, field

from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import Token
from streamapp.guard import Answer, Claim, Claimed, Doomed, GuardNotReady, Held, Known, Superseded

LEASE_SECONDS = 30.0


@dataclass
class Row:
    """What is remembered of one task."""

    attempt: int
    token: Token
    owner: str
    status: str = "active"
    lapsed: bool = False
    alone: bool = False
    deaths: int = 0
    started: bool = False
    confirmed: bool = False
    success: bool = False
    record: bytes | None = None


@dataclass
class Memory:
    """What all fake guards of one test share. `down`: as if Redis were gone."""

    epoch: int | None = 1
    max_deaths: int = 3
    rows: dict[str, Row] = field(default_factory=dict)
    down: bool = False

    def let_lapse(self) -> None:
        """Time passes: every lease has run out."""
        for row in self.rows.values():
            row.lapsed = True


class FakeGuard:
    """One worker's guard."""

    def __init__(self, memory: Memory, worker: str) -> None:
        self.memory = memory
        self.worker = worker
        self.kept: dict[Claim, float | None] = {}

    def _rows(self) -> dict[str, Row]:
        if self.memory.down:
            raise Unavailable("Redis: gone")
        if self.memory.epoch is None:
            raise GuardNotReady("the guard's epoch key is missing")
        return self.memory.rows

    def _mine(self, claim: Claim) -> Row | None:
        row = self._rows().get(claim.task_id)
        mine = row and (row.token, row.owner, row.attempt) == (claim.token, self.worker, claim.attempt)
        return row if mine else None

    async def claim(self, task_id: str, attempt: int, first_attempt: int = 1) -> Answer:
        rows = self._rows()
        row = rows.get(task_id)
        new = Row(attempt, Token(self.memory.epoch or 0, 1), self.worker)
        takeover = False
        if row is not None:
            finished = row.status in ("outcome", "ended")
            former = row.attempt < first_attempt
            if row.status == "outcome" and (row.attempt == attempt or row.success):
                return Known(Claim(task_id, row.attempt, row.token), row.record)
            if row.status == "ended" and row.attempt == attempt:
                return Known(Claim(task_id, row.attempt, row.token), None)
            if attempt < row.attempt or (finished and row.success and not former):
                return Superseded(row.attempt)
            if row.status == "active" and not row.lapsed:
                return Held(LEASE_SECONDS)
            new.token = Token(new.token.epoch, row.token.claim + 1)
            if not finished:
                new.alone, new.deaths = row.alone, row.deaths
            if row.status == "active":
                takeover = True
                if row.owner != self.worker:
                    new.deaths += row.alone and row.confirmed
                    new.alone = True
            if former:
                new.deaths = 0
            new.started = row.started and row.attempt == attempt
        rows[task_id] = new
        claim = Claim(task_id, attempt, new.token)
        self.kept[claim] = None
        if new.deaths >= self.memory.max_deaths:
            return Doomed(claim, new.deaths, new.started)
        return Claimed(claim, new.alone, new.deaths, takeover)

    async def confirm(self, claim: Claim) -> bool:
        row = self._mine(claim)
        if row is None or row.status != "active" or row.lapsed:
            return False
        row.started = row.confirmed = True
        return True

    async def complete(self, claim: Claim, record: bytes, *, succeeded: bool) -> bool:
        row = self._mine(claim)
        self.kept.pop(claim, None)
        if row is None or row.status == "released":
            return False
        if row.status in ("active", "rebuilt"):
            row.status, row.record, row.success = "outcome", record, succeeded
        return True

    async def ended(self, claim: Claim) -> bool:
        row = self._rows().get(claim.task_id)
        if row is None:
            return False
        if row.status == "outcome" and row.token == claim.token:
            row.status, row.record = "ended", None
        return row.status == "ended"

    async def release(self, claim: Claim) -> bool:
        self.kept.pop(claim, None)
        row = self._mine(claim)
        if row is None or row.status not in ("active", "rebuilt"):
            return False
        row.status = "released"
        return True

    def keep(self, claim: Claim, seconds: float | None) -> None:
        self.kept[claim] = seconds
