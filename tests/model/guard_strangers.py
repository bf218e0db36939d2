"""Questions that must change nothing, asked by nobody's worker: they make visible what Redis has come to believe.

In: what the oracle knows of each task. Out: nothing but what the oracle sees of the answers. A claim is asked for only
where it may not be granted; everything else is asked under a claim that is not the asker's.
"""

from collections.abc import Callable, Iterator
from typing import Any

from streamapp.domain.facts import Token
from streamapp.guard.scripts import CLAIM, COMPLETE, CONFIRM, ENDED, RELEASE, RENEW, Script
from tests.model.guard_answers import LEASE_MS, MAX_DEATHS, RETENTION_MS
from tests.model.guard_door import PREFIX, Bench
from tests.model.guard_memory import Grant
from tests.model.guard_oracle import Oracle

STRANGER = "stranger"
ACTS = ("confirm", "complete", "ended", "release", "renew")
TASKS = 3
TWISTS = ("owner", "claim", "epoch", "attempt")
Question = tuple[Script, str, list[str], list[Any]]


class Strangers:
    """Asks about all tasks at once."""

    def __init__(self, bench: Bench, oracle: Oracle, now_ms: Callable[[], int]) -> None:
        self._bench, self._oracle, self._now_ms = bench, oracle, now_ms

    def ask_to_run(self) -> None:
        """For attempts that nobody may be granted at this moment."""
        pages = self._oracle.memory.pages.items()
        self._ask([self._claim(task_id, attempt) for task_id, page in pages for attempt in self._closed(page.last)])

    def try_everything(self) -> None:
        """Act under the latest claims of the latest tasks, made wrong in one way after the other.

        Where nothing may be changed any more, or the guard is not ready, they are left right as well.
        """
        questions = []
        for task_id in list(self._oracle.diary.tasks)[-TASKS:]:
            last = self._oracle.last(task_id) or Grant(1, Token(1, 1), STRANGER)
            if self._oracle.epoch is None:
                questions += [self._under(task_id, last, act, "") for act in ACTS]
            elif last.over:
                questions += [self._under(task_id, last, act, "") for act in ("confirm", "release", "renew")]
            questions += [self._under(task_id, last, act, twist) for act in ACTS for twist in TWISTS]
        self._ask(questions)

    def _closed(self, last: Grant) -> Iterator[int]:
        if self._oracle.epoch is None or last.over or last.lives(self._now_ms()):
            yield last.attempt
        if last.over and last.succeeded:
            yield last.attempt + 1
        if last.attempt > 1:
            yield last.attempt - 1

    def _claim(self, task_id: str, attempt: int) -> Question:
        keys = [f"{PREFIX}epoch", _key(task_id), f"{PREFIX}jobs:waiting", f"{PREFIX}jobs:active"]
        return CLAIM, STRANGER, keys, [task_id, attempt, STRANGER, LEASE_MS, RETENTION_MS, MAX_DEATHS, 1]

    def _under(self, task_id: str, last: Grant, act: str, twist: str) -> Question:
        epoch, number = last.token.epoch + (twist == "epoch"), last.token.claim + (twist == "claim")
        owner, attempt = "thief" if twist == "owner" else last.owner, last.attempt + (twist == "attempt")
        keys, mine = [f"{PREFIX}epoch", _key(task_id)], [epoch, number, owner, attempt]
        jobs = [f"{PREFIX}jobs:{state}" for state in ("waiting", "active", "completed", "failed")]
        match act:
            case "confirm":
                return CONFIRM, owner, keys, [*mine, LEASE_MS, RETENTION_MS]
            case "complete":
                return COMPLETE, owner, keys, [*mine, b"stolen", 1, RETENTION_MS]
            case "release":
                return RELEASE, owner, [*keys, *jobs[:2]], [*mine, task_id]
            case "renew":
                return RENEW, owner, keys, [owner, LEASE_MS, RETENTION_MS, epoch, number, attempt]
        # Whoever knows the claim may say that it has ended: only a wrong claim is no use.
        wrong_number = number + (twist in ("owner", "attempt"))
        return ENDED, owner, [*keys, *jobs], [epoch, wrong_number, task_id, last.attempt, RETENTION_MS, 5]

    def _ask(self, questions: list[Question]) -> None:
        with self._bench.plain.pipeline(transaction=False) as pipeline:
            for script, _, keys, arguments in questions:
                pipeline.eval(self._bench.book(script).source, len(keys), *keys, *arguments)
            replies = pipeline.execute()
        for (script, asker, keys, arguments), reply in zip(questions, replies, strict=True):
            self._oracle.saw(script.name, asker, keys, arguments, reply)


def _key(task_id: str) -> str:
    return f"{PREFIX}task:{task_id}"
