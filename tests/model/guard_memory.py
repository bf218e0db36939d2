"""What the guard has reason to know of each task: the claims that were granted, and what the diary told of them.

In: what was seen to happen. Out: pages of claims, oldest first. Nothing here is read from Redis. The memory forgets
when Redis forgets: all at once by a flush, back to a copy by a restore, one page when its time of retention is over.
"""

import copy
from dataclasses import dataclass, field

from streamapp.domain.facts import Token
from streamapp.domain.progress import State
from tests.model.guard_diary import Diary


@dataclass(slots=True)
class Grant:
    """One claim. `fate` is open, released, kept (its outcome is in Redis) or recorded (its outcome is in the diary).

    `lives_until`: nobody else may be granted the task before. `told`: known from the diary only, so free for whoever
    asks, and nobody died if somebody takes it.
    """

    attempt: int
    token: Token
    owner: str
    alone: bool = False
    confirmed: bool = False
    lives_until: int = 0
    fate: str = "open"
    told: bool = False
    succeeded: bool = False
    record: bytes | None = None

    @property
    def place(self) -> tuple[int, Token]:
        """Which claim it is. Claims of a task that was forgotten are numbered anew, but not those of one attempt."""
        return self.attempt, self.token

    @property
    def over(self) -> bool:
        """Whether its outcome is known."""
        return self.fate in ("kept", "recorded")

    def lives(self, now_ms: int) -> bool:
        """Whether its claimant must not be disturbed."""
        return self.fate == "open" and self.lives_until > now_ms


@dataclass(slots=True)
class Page:
    """Claims of one task. It may not be forgotten up to `retained_until`."""

    grants: list[Grant]
    retained_until: int

    @property
    def last(self) -> Grant:
        """The latest claim."""
        return self.grants[-1]

    def deaths_before(self, worker: str, first_attempt: int) -> tuple[bool, int]:
        """Whether the next claim is alone and how many died alone, if `worker` is granted it.

        A claim that was neither handed back nor brought to an outcome, and that another worker took, is a dead worker;
        it counts if it was about to run, and alone. An outcome wipes the slate clean; a requeue forgives the deaths.
        """
        streak: list[Grant] = []
        for grant in self.grants:
            streak = [] if grant.over else [*streak, grant]
        alone, deaths = False, 0
        heirs = [*(grant.owner for grant in streak[1:]), worker]
        for grant, owner in zip(streak, heirs, strict=False):
            if grant.fate == "open" and not grant.told and grant.owner != owner:
                deaths += grant.alone and grant.confirmed and grant.attempt >= first_attempt
                alone = True
        return alone, deaths


@dataclass(frozen=True, slots=True)
class Told:
    """What the diary says of the last claim of a task. `over_since` is None as long as it has no outcome."""

    attempt: int
    token: Token
    owner: str
    over_since: int | None
    succeeded: bool

    @property
    def place(self) -> tuple[int, Token]:
        """See `Grant`."""
        return self.attempt, self.token


def told_by(diary: Diary) -> dict[str, Told]:
    """What the diary says of every task that was ever started."""
    told = {}
    for task_id, task in diary.tasks.items():
        if task.progress.tokens:
            attempt, token = max(task.progress.tokens.items())
            over = diary.outcome_at(task_id, attempt, token)
            if task.progress.terminal:
                over = task.ended_at
            elif over is None and attempt < task.progress.first_attempt:  # given up, and a requeue opens another one
                over = diary.requeued_at(task_id)
            owner = diary.starter(task_id, attempt, token)
            told[task_id] = Told(attempt, token, owner, over, task.state is State.COMPLETED)
    return told


@dataclass(slots=True)
class Memory:
    """Pages by task. `epoch`: the highest that was ever set here, 0 if none."""

    pages: dict[str, Page] = field(default_factory=dict)
    epoch: int = 0

    def copied(self) -> "Memory":
        """As it is now."""
        return copy.deepcopy(self)

    def learn(self, task_id: str, told: Told, now_ms: int, retention_ms: int) -> None:
        """A rebuild writes what the diary told of a task. Where more is known already, that stays."""
        since = now_ms if told.over_since is None else min(told.over_since, now_ms)
        page = self.pages.get(task_id)
        if page is not None and page.last.place > told.place:
            return
        if page is None or page.last.place < told.place:
            fate = "open" if told.over_since is None else "recorded"
            grant = Grant(told.attempt, told.token, told.owner, fate=fate, told=True, succeeded=told.succeeded)
            self.pages[task_id] = Page([grant], since + retention_ms)
            return
        last = page.last
        last.succeeded = last.succeeded or told.succeeded
        if told.over_since is not None and not last.over:
            last.fate = "recorded"
            page.retained_until = since + retention_ms

    def knows(self, task_id: str, told: Told) -> bool:
        """Whether what the diary told of a task is known, or more."""
        page = self.pages.get(task_id)
        if page is None or page.last.place < told.place:
            return False
        return page.last.place > told.place or told.over_since is None or page.last.over
