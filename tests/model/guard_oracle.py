"""The guard's promises, judged whenever an answer is seen at Redis's door, also one that its asker never got.

In: which script was asked what by whom, what it answered, and what happens to Redis. Out: `violations`. The oracle asks
which promise forbids what it sees. It shares no code with the guard.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from streamapp.domain.facts import Token
from streamapp.guard import Claim
from tests.model.guard_answers import LEASE_MS, RETENTION_MS, ClaimAnswers
from tests.model.guard_diary import Diary
from tests.model.guard_memory import Grant, Memory, Told, told_by


class Oracle(ClaimAnswers):
    """Looks at everything, changes nothing. `seen` counts the answers of each script."""

    def __init__(self, diary: Diary, now_ms: Callable[[], int]) -> None:
        super().__init__(diary, now_ms)
        self.seen: Counter[tuple[str, str]] = Counter()
        self._owed: dict[str, Told] = {}

    def forgot(self, memory: Memory | None = None) -> None:
        """Redis was emptied, or an old copy was put in its place. What the diary says now has to be known again.

        With a copy the epoch key is removed by hand, and so nothing is left of the epoch that it said.
        """
        self.memory = Memory() if memory is None else replace(memory, epoch=0)
        self.epoch = None
        self._owed = told_by(self.diary)

    def expired(self, key: str) -> None:
        """Redis forgot a key because its time had come."""
        task_id = key.rpartition("task:")[2]
        page = self.memory.pages.pop(task_id, None)
        if page is None:
            self.object(f"{key} expired, though nobody knew of it")
        elif page.retained_until >= self.now_ms():
            self.object(f"{task_id} was forgotten {page.retained_until - self.now_ms()} ms before its time")

    def rebuilt(self, task_id: str, told: Told | None) -> None:
        """A rebuild wrote what it had been told of a task."""
        if told is None:
            self.object(f"a claim of {task_id} was rebuilt, though nobody ever started it")
        else:
            self.memory.learn(task_id, told, self.now_ms(), RETENTION_MS)

    def epoch_is(self, epoch: int | None, told: dict[str, Told]) -> None:
        """The epoch key was looked at, after a rebuild that had been told this much had gone on by a step."""
        if epoch == self.epoch:
            return
        self.epoch = epoch
        if epoch is None:
            return
        if epoch <= self.memory.epoch:
            self.object(f"epoch {epoch} was set, though epoch {self.memory.epoch} had been in use")
        self.memory.epoch = max(epoch, self.memory.epoch)
        says_now = told_by(self.diary)
        for task_id, owed in [*self._owed.items(), *told.items()]:
            over_since = says_now[task_id].over_since
            late = over_since is not None and self.now_ms() - over_since >= RETENTION_MS
            if not late and not self.memory.knows(task_id, owed):
                self.object(f"the guard was made ready, but does not know {owed} of {task_id}")
            self.outranked[task_id] = max(owed.token, self.outranked.get(task_id, owed.token))
        self._owed = {}

    def saw(self, script: str, worker: str, keys: Sequence[str], arguments: Sequence[Any], reply: Any) -> None:
        """A script was run."""
        word = (reply if isinstance(reply, bytes) else b"renewed" if script == "renew" else reply[0]).decode()
        self.seen[script, word] += 1
        if (word == "not-ready") is not (self.epoch is None):
            self.object(f"{script} answered {word} at epoch {self.epoch}")
        if word == "not-ready":
            return
        if script == "renew":
            self._renewals(worker, [key.rpartition("task:")[2] for key in keys[1:]], arguments[3:], reply)
            return
        task_id = keys[1].rpartition("task:")[2]
        if script == "claim":
            self.first_attempt = int(arguments[6])
            getattr(self, word)((task_id, int(arguments[1])), worker, reply)
        else:
            claim = Claim(task_id, int(arguments[3]), Token(int(arguments[0]), int(arguments[1])))
            getattr(self, f"_{script}")(claim, worker, word == "yes", arguments)

    def runs(self, claim: Claim, worker: str) -> None:
        """A handler begins: its claim was confirmed, and its start is recorded."""
        if not self.diary.has_start(claim.task_id, claim.attempt):
            self.object(f"{worker} runs {claim} before its start is recorded")
        if not self.current(claim, worker):
            self.object(f"{worker} runs {claim}, though the last claim is {self.last(claim.task_id)}")

    def current(self, claim: Claim, worker: str) -> bool:
        """Whether nobody was granted the task after this claim of the worker's."""
        return self._mine(claim, worker) is not None

    def open(self, claim: Claim, worker: str) -> bool:
        """Whether the worker may still do something under its claim."""
        mine = self._mine(claim, worker)
        return mine is not None and mine.fate != "released"

    def held_for(self) -> int:
        """Milliseconds until every lease has lapsed, if nobody renews any."""
        return max((page.last.lives_until - self.now_ms() for page in self.memory.pages.values()), default=0)

    def _confirm(self, claim: Claim, worker: str, yes: bool, _: Any) -> None:
        mine = self._mine(claim, worker)
        self._expect("confirmed", claim, worker, yes, mine is not None and mine.lives(self.now_ms()))
        if yes and mine is not None:
            mine.confirmed = True
            self._extend(claim.task_id, mine)

    def _complete(self, claim: Claim, worker: str, yes: bool, arguments: Sequence[Any]) -> None:
        mine = self._mine(claim, worker)
        self._expect("completed", claim, worker, yes, mine is not None and mine.fate != "released")
        if yes and mine is not None and mine.fate == "open":
            mine.fate, mine.record, mine.succeeded = "kept", arguments[4], int(arguments[5]) == 1
            self.touch(claim.task_id)

    def _ended(self, claim: Claim, worker: str, yes: bool, _: Any) -> None:
        last = self.last(claim.task_id)
        kept = last is not None and last.fate == "kept" and last.token == claim.token
        self._expect("ended", claim, worker, yes, kept or (last is not None and last.fate == "recorded"))
        if yes and last is not None and last.fate == "kept":
            if not self.is_recorded(claim):
                self.object(f"{worker} ended {claim} before its outcome was recorded")
            last.fate, last.record = "recorded", None
            self.touch(claim.task_id)

    def _release(self, claim: Claim, worker: str, yes: bool, _: Any) -> None:
        mine = self._mine(claim, worker)
        self._expect("released", claim, worker, yes, mine is not None and mine.fate == "open")
        if yes and mine is not None:
            mine.fate = "released"

    def _renewals(self, worker: str, tasks: Sequence[str], numbers: Sequence[Any], reply: Sequence[int]) -> None:
        for place, (task_id, renewed) in enumerate(zip(tasks, reply, strict=True)):
            epoch, number, attempt = (int(value) for value in numbers[3 * place : 3 * place + 3])
            claim = Claim(task_id, attempt, Token(epoch, number))
            mine = self._mine(claim, worker)
            self._expect("renewed", claim, worker, renewed == 1, mine is not None and mine.fate == "open")
            if renewed == 1 and mine is not None:
                self._extend(task_id, mine)

    def _expect(self, done: str, claim: Claim, worker: str, yes: bool, wanted: bool) -> None:
        if yes is not wanted:
            what = f"{worker} has {done if yes else 'not ' + done} {claim}"
            self.object(f"{what}, but the last claim is {self.last(claim.task_id)}")

    def _extend(self, task_id: str, grant: Grant) -> None:
        grant.lives_until, grant.told = self.now_ms() + LEASE_MS, False
        self.touch(task_id)

    def _mine(self, claim: Claim, worker: str) -> Grant | None:
        """The claim, if it is the task's latest."""
        last = self.last(claim.task_id)
        same = last is not None and (last.token, last.attempt, last.owner) == (claim.token, claim.attempt, worker)
        return last if same else None
