"""What an operator should look at, derived from facts: each with a slug that does not change, words, and since when."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from agents.diary.summary import time_of
from streamapp.domain.totals import Unreadable

SILENCE_MS = 30_000
"""Nothing has started for so long while tasks wait: no workers, no RabbitMQ, or all are busy with long ones."""

MANY_BEHIND = 5_000
"""Facts not yet folded that are worth a word."""

RECENT_MS = 3_600_000
"""Unreadable records of the last hour are warned of."""


class Standing(msgspec.Struct):
    """What the open tasks of a partition wait for. Times are the broker's, in milliseconds.

    Attributes:
        waiting: tasks that were dispatched and have not started, `waiting_since` the oldest of them.
        last_started_at: when a worker started anything last; 0 if never.
        undispatched: tasks that are due and should have been dispatched by now, `undispatched_since` the oldest.
        stuck, retrying: tasks in the lists of these names.
    """

    waiting: int
    waiting_since: int | None
    last_started_at: int
    undispatched: int
    undispatched_since: int | None
    stuck: int
    retrying: int


def warnings(
    standing: Collection[Standing],
    now: int,
    *,
    lag: Mapping[int, int],
    unreadable: Collection[Unreadable],
    missing: Collection[int],
    stale: bool,
    stale_since: int | None,
) -> list[dict[str, Any]]:
    """All that there are, the gravest first."""
    found = [
        _stale(stale, stale_since),
        _recovering(missing),
        _nothing_started(standing, now),
        _outbox_waiting(standing, now),
        _behind(lag),
        _unreadable(unreadable, now),
    ]
    return [warning for warning in found if warning is not None]


def _stale(stale: bool, since: int | None) -> dict[str, Any] | None:
    return _warning("stale", "Kafka does not answer: this is the last known state", since) if stale else None


def _recovering(missing: Collection[int]) -> dict[str, Any] | None:
    if not missing:
        return None
    names = ", ".join(map(str, sorted(missing)))
    return _warning("partition-recovering", f"nothing is known now of the tasks in partitions {names}", None)


def _nothing_started(standing: Collection[Standing], now: int) -> dict[str, Any] | None:
    waiting = sum(one.waiting for one in standing)
    oldest = min((one.waiting_since for one in standing if one.waiting_since is not None), default=None)
    if oldest is None:
        return None
    since = max(oldest, *(one.last_started_at for one in standing))
    if now - since < SILENCE_MS:
        return None
    return _warning(
        "nothing-started", f"nothing has started for {_seconds(now - since)} while {_tasks(waiting)}", since
    )


def _outbox_waiting(standing: Collection[Standing], now: int) -> dict[str, Any] | None:
    undispatched = sum(one.undispatched for one in standing)
    if not undispatched:
        return None
    since = min(one.undispatched_since for one in standing if one.undispatched_since is not None)
    text = f"{_tasks(undispatched)} for dispatch, the oldest overdue by {_seconds(now - since)}"
    return _warning("outbox-waiting", text, since)


def _behind(lag: Mapping[int, int]) -> dict[str, Any] | None:
    behind = sum(lag.values())
    if behind < MANY_BEHIND:
        return None
    return _warning("lag", f"{behind} facts are not folded yet: all that is shown is older than that", None)


def _unreadable(records: Collection[Unreadable], now: int) -> dict[str, Any] | None:
    recent = [record for record in records if record.at >= now - RECENT_MS]
    if not recent:
        return None
    newest = max(recent, key=lambda record: record.at)
    more = "at least " if len(recent) == len(records) else ""
    text = f"{more}{len(recent)} records of the last hour are no facts, the latest because: {newest.reason}"
    return _warning("unreadable", text, min(record.at for record in recent))


def _warning(slug: str, text: str, since: int | None) -> dict[str, Any]:
    return {"slug": slug, "text": text, "since": time_of(since)}


def _tasks(number: int) -> str:
    return "1 task waits" if number == 1 else f"{number} tasks wait"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.0f} s"
