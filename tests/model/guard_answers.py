"""Which promise an answer of the script `claim` breaks.

In: the answer, as it left Redis. Out: `violations`. Each answer has its own reasons for being right, told from what is
known of the task (`guard_memory`) and from the diary; nothing here computes what the script should answer.
"""

from collections.abc import Callable, Sequence
from typing import Any

from streamapp.domain.facts import Token
from streamapp.guard import Claim
from tests.model.guard_diary import Diary
from tests.model.guard_memory import Grant, Memory, Page

LEASE_MS = 10_000
RETENTION_MS = 600_000
MAX_DEATHS = 3


class PromiseBroken(AssertionError):
    """Says which one, and by what answer."""


class ClaimAnswers:
    """`epoch` is what the epoch key says, None while it is missing; `outranked` what every new token must be above."""

    def __init__(self, diary: Diary, now_ms: Callable[[], int]) -> None:
        self.violations: list[str] = []
        self.memory = Memory()
        self.epoch: int | None = None
        self.first_attempt = 1
        """Of the claim that is being answered: the attempt that the task's last requeue has opened."""
        self.outranked: dict[str, Token] = {}
        self.diary, self.now_ms = diary, now_ms

    def claimed(self, asked: tuple[str, int], worker: str, reply: Sequence[Any]) -> None:
        """It may run."""
        grant = self._granted(asked, worker, reply)
        alone, deaths, takeover = (int(value) for value in reply[3:6])
        last = self.last(asked[0])
        if bool(takeover) is not (last is not None and last.fate == "open" and not last.told):
            self.object(f"{asked}: takeover {takeover} from {last}")
        self._check_deaths(asked[0], worker, bool(alone), deaths)
        if deaths >= MAX_DEATHS:
            self.object(f"{asked} was granted to {worker} after {deaths} deaths")
        self._add(asked[0], grant, bool(alone))

    def doomed(self, asked: tuple[str, int], worker: str, reply: Sequence[Any]) -> None:
        """It must not run, because workers died of it; the asker says so in the diary."""
        grant = self._granted(asked, worker, reply)
        deaths, started = int(reply[3]), reply[4] == b"1"
        self._check_deaths(asked[0], worker, True, deaths)
        if deaths < MAX_DEATHS:
            self.object(f"{asked} was doomed after {deaths} deaths")
        if started and not self.diary.has_start(*asked):
            self.object(f"{asked} is said to have started, but no start is recorded")
        self._add(asked[0], grant, alone=True)

    def held(self, asked: tuple[str, int], worker: str, reply: Sequence[Any]) -> None:
        """Somebody lives and has it."""
        last, now = self.last(asked[0]), self.now_ms()
        if last is None or not last.lives(now):
            self.object(f"{asked} is held from {worker}, though nobody holds it: {last}")
        elif int(reply[1]) != last.lives_until - now:
            self.object(f"{asked} is held for {int(reply[1])} ms, the lease for {last.lives_until - now} ms")

    def known(self, asked: tuple[str, int], worker: str, reply: Sequence[Any]) -> None:
        """It has an outcome."""
        claim = Claim(asked[0], int(reply[1]), Token(int(reply[2]), int(reply[3])))
        record, last = reply[4], self.last(asked[0])
        what = f"{worker} was told for {asked} that {claim} has ended"
        if last is None or not last.over or (last.attempt, last.token) != (claim.attempt, claim.token):
            self.object(f"{what}, but the last claim is {last}")
        elif last.attempt != asked[1] and not last.succeeded:
            self.object(f"{what}, which is no answer")
        elif last.fate == "recorded" and record is not None:
            self.object(f"{what}, and to record what is recorded")
        elif last.fate == "kept" and record != last.record and not (record is None and self.is_recorded(claim)):
            self.object(f"{what} with {record!r}, but what was kept is {last.record!r}")

    def superseded(self, asked: tuple[str, int], worker: str, reply: Sequence[Any]) -> None:
        """It must not run any more."""
        task_id, attempt = asked
        last = self.last(task_id)
        what = f"{worker} was told that {asked} is superseded by attempt {int(reply[1])}"
        if last is None or last.attempt != int(reply[1]) or not (last.attempt > attempt or self._stands(last)):
            self.object(f"{what}, but the last claim is {last}")
        elif last.fate == "kept" and last.succeeded and not self.is_recorded(Claim(task_id, last.attempt, last.token)):
            self.object(f"{what}, though nobody has recorded its success yet")

    def last(self, task_id: str) -> Grant | None:
        """The latest claim of a task that is known."""
        page = self.memory.pages.get(task_id)
        return page.last if page else None

    def is_recorded(self, claim: Claim) -> bool:
        """Whether the diary has the outcome of this very claim."""
        return self.diary.outcome_at(claim.task_id, claim.attempt, claim.token) is not None

    def touch(self, task_id: str) -> None:
        """Something changed: from now on the task is remembered for the whole retention again."""
        self.memory.pages[task_id].retained_until = self.now_ms() + RETENTION_MS

    def object(self, what: str) -> None:
        """A promise was broken."""
        self.violations.append(what)

    def _granted(self, asked: tuple[str, int], worker: str, reply: Sequence[Any]) -> Grant:
        """Whatever forbids a grant."""
        now, last = self.now_ms(), self.last(asked[0])
        task_id, attempt, token = *asked, Token(int(reply[1]), int(reply[2]))
        what = f"{token} of {asked} was granted to {worker}"
        if last is not None and last.lives(now):
            self.object(f"{what}, though {last.owner} holds {last.token} for {last.lives_until - now} ms more")
        page = self.memory.pages.get(task_id)
        for other in page.grants if page else ():
            if other.over and other.attempt == attempt:
                self.object(f"{what}, though its outcome is known: {other}")
            if other.over and other.succeeded and (self._stands(other) or (other is last and other.fate == "kept")):
                self.object(f"{what}, though the task has succeeded: {other}")
            if other.attempt > attempt:
                self.object(f"{what}, though attempt {other.attempt} was granted before")
            if other.token >= token:
                self.object(f"{what}, which is not above {other.token}")
        if token <= self.outranked.get(task_id, Token(0, 0)):
            self.object(f"{what}, which is not above {self.outranked[task_id]} in the diary")
        if token.epoch != self.epoch:
            self.object(f"{what} in epoch {self.epoch}")
        return Grant(attempt, token, worker)

    def _stands(self, other: Grant) -> bool:
        """Whether it is a success that no requeue has gone past."""
        return other.succeeded and other.attempt >= self.first_attempt

    def _check_deaths(self, task_id: str, worker: str, alone: bool, deaths: int) -> None:
        page = self.memory.pages.get(task_id)
        counted = page.deaths_before(worker, self.first_attempt) if page else (False, 0)
        if counted != (alone, deaths):
            self.object(f"{task_id}: alone {alone} after {deaths} deaths, but counted were {counted}")

    def _add(self, task_id: str, grant: Grant, alone: bool) -> None:
        grant.alone, grant.lives_until = alone, self.now_ms() + LEASE_MS
        self.memory.pages.setdefault(task_id, Page([], 0)).grants.append(grant)
        self.touch(task_id)
