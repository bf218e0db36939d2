"""Broken guards: each breaks one rule of the design in one place, and the model must catch every one of them.

Those of the fault study that concern the guard are here (guard off, epoch ignored), those that the model itself has
found in the product once, and those that its rules suggest.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import streamapp.cli.setup as setup_module
from streamapp.domain.task import Task
from streamapp.guard import ClaimRecord, Guard
from streamapp.guard.rebuild import claims_of as claims_of_rightly
from tests.model.guard_time import Error

EPOCH_CHECK = "if not redis.call('GET', KEYS[1]) then"
TOLD_IS_OLDER = (
    "if attempt > told_attempt or here and (epoch > told_epoch or (epoch == told_epoch and claim > told_claim)) then"
)


@dataclass(frozen=True)
class Mutant:
    """A guard with errors in its scripts, or with another function in place of one of the product's."""

    name: str
    errors: tuple[Error, ...] = ()
    owner: Any = None
    function: str = ""
    instead: Any = None

    @contextmanager
    def loose(self) -> Iterator[None]:
        """While the mutant is about."""
        if self.owner is None:
            yield
        else:
            with patch.object(self.owner, self.function, self.instead):
                yield


def wrong(name: str, script: str, right: str, instead: str) -> Mutant:
    """A mutant with one error in one script."""
    return Mutant(name, (Error(script, right, instead),))


def same_epoch_again(tasks: Iterable[Task]) -> int:
    """Does not look at the tokens in the diary."""
    return 1


def forgets_what_runs(task: Task, now_ms: int, retention_ms: int) -> ClaimRecord | None:
    """Rebuilds finished attempts only."""
    record = claims_of_rightly(task, now_ms, retention_ms)
    return record if record is None or record.ended else None


def forgets_outcomes(task: Task, now_ms: int, retention_ms: int) -> ClaimRecord | None:
    """Rebuilds every attempt as if it were running."""
    record = claims_of_rightly(task, now_ms, retention_ms)
    return record and replace(record, ended=False)


def forgets_soon(task: Task, now_ms: int, retention_ms: int) -> ClaimRecord | None:
    """Takes an outcome for one of long ago."""
    record = claims_of_rightly(task, now_ms, retention_ms)
    return record and replace(record, ended_at_ms=0)


def keeps_what_nobody_waits_for(guard: Guard, asked: Any) -> None:
    """A claim that was granted to somebody who has gone is left to lapse."""


CLAIM = [
    wrong("guard off", "claim", "if task.status then", "if false then"),
    wrong("epoch ignored", "claim", "if not epoch then\n  return {'not-ready'}", "if not epoch then\n  epoch = '1'"),
    wrong("old epoch in the token", "claim", "'epoch', epoch, 'claim'", "'epoch', task.epoch or epoch, 'claim'"),
    wrong("lease check flipped", "claim", "tonumber(task['until']) > now then", "tonumber(task['until']) < now then"),
    wrong(
        "lease a moment longer", "claim", "tonumber(task['until']) > now then", "tonumber(task['until']) >= now then"
    ),
    wrong("lease not set", "claim", "whole(now + lease)", "whole(now)"),
    wrong("no lease", "claim", "if task.status == 'active' and tonumber(task['until']) > now then", "if false then"),
    wrong("outcome not told", "claim", "if task.status == 'outcome' and (", "if false and ("),
    wrong(
        "success told to its own attempt only", "claim", "(known == attempt or task.success == '1')", "known == attempt"
    ),
    wrong("end not told", "claim", "if task.status == 'ended' and known == attempt then", "if false then"),
    wrong("lower attempt runs", "claim", "if attempt < known or", "if"),
    wrong("succeeded runs again", "claim", "or (finished and task.success == '1')", ""),
    wrong("requeue ignored", "claim", " and not former", ""),
    wrong(
        "requeue forgets a success",
        "claim",
        "or task.success == '1') then",
        "or task.success == '1') and not former then",
    ),
    wrong("requeue forgives nobody", "claim", "if former then", "if false then"),
    wrong("claims not numbered", "claim", "tonumber(task.claim) + 1", "tonumber(task.claim)"),
    wrong("deaths not counted", "claim", "deaths = deaths + 1", "deaths = deaths"),
    wrong("deaths in company counted", "claim", "if task.alone == '1' and", "if"),
    wrong("deaths of the waiting counted", "claim", " and task.confirmed == '1'", ""),
    wrong("sleep counted as death", "claim", "if task.owner ~= worker then", "if true then"),
    wrong("never alone", "claim", "      alone = '1'", "      alone = '0'"),
    wrong("deaths not forgiven", "claim", "if not finished then", "if true then"),
    wrong("a death too many", "claim", "if deaths >= tonumber(ARGV[6])", "if deaths > tonumber(ARGV[6])"),
    wrong("start of another attempt", "claim", "if known == attempt then\n    started", "if true then\n    started"),
    wrong("forgotten with the lease", "claim", "KEYS[2], retention)", "KEYS[2], lease)"),
]
HOLDER = [
    wrong("owner not compared", "common", " and fields.owner == owner", ""),
    wrong("claim number not compared", "common", " and fields.claim == claim", ""),
    wrong("epoch not compared", "common", "fields.epoch == epoch and ", ""),
    wrong("attempt not compared", "common", " and fields.attempt == attempt", ""),
    wrong("confirms without epoch", "confirm", EPOCH_CHECK, "if false then"),
    wrong("confirms what has lapsed", "confirm", " or tonumber(task['until']) <= now", ""),
    wrong("confirms without renewing", "confirm", "'until', whole(now + tonumber(ARGV[5])), ", ""),
    wrong("completes without epoch", "complete", EPOCH_CHECK, "if false then"),
    wrong(
        "completes once only", "complete", "if task.status == 'outcome' or task.status == 'ended' then", "if false then"
    ),
    wrong("completes what was handed back", "complete", "if task.status ~= 'active' and", "if false and"),
    wrong("does not complete what was rebuilt", "complete", " and task.status ~= 'rebuilt'", ""),
    wrong("ends without epoch", "ended", EPOCH_CHECK, "if false then"),
    wrong("ends another's outcome", "ended", " or task.epoch ~= ARGV[1] or task.claim ~= ARGV[2]", ""),
    wrong("releases without epoch", "release", EPOCH_CHECK, "if false then"),
    wrong("release is a death", "release", "'status', 'released'", "'status', 'active'"),
    wrong("releases what has ended", "release", "if not open or not", "if not"),
    wrong("releases another's claim", "release", " or not is_current(task, ARGV[1], ARGV[2], ARGV[3], ARGV[4])", ""),
    wrong("renews without epoch", "renew", EPOCH_CHECK, "if false then"),
    wrong("renews another's claim", "renew", "if held and is_current(", "if held or is_current("),
    wrong("renews what has ended", "renew", "if held and", "if"),
    wrong("does not renew what was rebuilt", "renew", " or task.status == 'rebuilt'", ""),
    wrong("renews without extending", "renew", "'status', 'active', 'until', lapses)", "'status', 'active')"),
    Mutant("keeps what nobody waits for", (), Guard, "_give_back", keeps_what_nobody_waits_for),
]
REBUILT = [
    wrong("rebuild overwrites newer claims", "rebuild", TOLD_IS_OLDER, "if false then"),
    wrong("rebuild overwrites what runs", "rebuild", "if same and ARGV[5] == '0' then", "if false then"),
    wrong("rebuild overwrites outcomes", "rebuild", "task.status == 'outcome' or", ""),
    wrong("rebuild tells no success", "rebuild", "redis.call('HSET', KEYS[1], 'success', '1')", ""),
    wrong("rebuild trusts an old copy", "rebuild", TOLD_IS_OLDER, "if true then"),
    wrong("rebuild forgets owners", "rebuild", "'owner', ARGV[4]", "'owner', ''"),
    wrong("rebuild forgets success", "rebuild", "'success', ARGV[6]", "'success', '0'"),
    wrong("rebuild takes workers for dead", "rebuild", "'ended' or 'rebuilt'", "'ended' or 'active'"),
    wrong(
        "ready though emptied meanwhile", "open", "if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then", "if false then"
    ),
    wrong("epoch forgotten on the way", "open", "tonumber(highest or 0) + 1", "0"),
    Mutant("epoch not above the diary", (), setup_module, "next_epoch", same_epoch_again),
    Mutant("rebuild forgets what runs", (), setup_module, "claims_of", forgets_what_runs),
    Mutant("rebuild forgets outcomes", (), setup_module, "claims_of", forgets_outcomes),
    Mutant("rebuild forgets soon", (), setup_module, "claims_of", forgets_soon),
]
MUTANTS = [*CLAIM, *HOLDER, *REBUILT]
