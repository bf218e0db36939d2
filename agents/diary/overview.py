"""`GET /v1/overview`: how things stand, in one answer, and what is worth a warning.

Everything is derived from facts: the sums, the newest minutes, and the index of open tasks. Consumers of RabbitMQ and
registrations in Redis are other commands' business.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from agents.diary.agent import Diary
from agents.diary.answers import Answers
from agents.diary.index import PartitionIndex
from agents.diary.owners import Owners
from agents.diary.parts import Numbers, Part
from agents.diary.query import Query
from agents.diary.tallies import latency_view
from agents.diary.warnings import Standing, warnings
from streamapp.clock import Clock
from streamapp.domain.latency import Latencies, joined
from streamapp.domain.minutes import COUNTED, MINUTE_MS, between, by_type, summed
from streamapp.domain.progress import State
from streamapp.domain.statistics import Statistics
from streamapp.domain.totals import Totals, merge

RECENT_MINUTES = 5
SEEN_MS = 60_000
"""A worker that a fact names within this time is counted as seen."""

SETTLED_IN_MS = 10_000
"""A minute that has run for so long tells the rate alone; before, it is taken together with the one before."""

OPEN = (State.ACCEPTED, State.DISPATCHED, State.RUNNING, State.FAILED, State.RETRY_SCHEDULED)


class Share(msgspec.Struct):
    """What one partition tells. `standing` is null while its index is being built."""

    totals: Totals
    this_minute: list[int]
    last_minute: list[int]
    recent: list[int]
    latencies: Latencies
    seen: list[str]
    lag: int
    standing: Standing | None


class Overview:
    """Answers from totals and indexes."""

    def __init__(self, diary: Diary, owners: Owners, answers: Answers, clock: Clock) -> None:
        self._diary = diary
        self._answers = answers
        self._clock = clock
        self.part = Part("overview", Share, self._tell, owners, ("now",))

    async def overview(self, request: web.Request) -> web.Response:
        """How things stand."""
        Query(request, ())
        now = self._clock.now_ms()
        shares = await self.part.everywhere(now=now)
        ready = [partition for partition, share in shares.items() if share.standing is not None]
        view = _view(shares, now)
        view["warnings"] = warnings(
            [share.standing for share in shares.values() if share.standing is not None],
            now,
            lag={partition: share.lag for partition, share in shares.items()},
            unreadable=[one for share in shares.values() for one in share.totals.unreadable_last],
            missing=self._answers.missing(ready),
            stale_since=self._answers.freshness.as_of_ms if self._answers.freshness.stale else None,
            stale=self._answers.freshness.stale,
        )
        return self._answers.over_all(view, ready)

    def _tell(self, numbers: Numbers) -> dict[int, Share]:
        now = numbers["now"]
        indexes, lag = self._diary.indexes.ready(), self._answers.freshness.lag()
        told = {}
        for partition in self._diary.totals.table.held():
            statistics = self._diary.totals.of(partition)
            index = indexes.get(partition)
            standing = None if index is None else _standing(index, statistics, now)
            told[partition] = _share(statistics, now, lag.get(partition, 0), standing)
        return told


def _share(statistics: Statistics, now: int, lag: int, standing: Standing | None) -> Share:
    this = now // MINUTE_MS
    recent = between(statistics.minutes, this - RECENT_MINUTES + 1, this)
    return Share(
        statistics.totals,
        summed(minute for minute in recent if minute.minute == this),
        summed(minute for minute in recent if minute.minute == this - 1),
        summed(recent),
        joined(by_type(recent).values()),
        [name for name, worker in statistics.workers.items() if worker.last_seen_at >= now - SEEN_MS],
        lag,
        standing,
    )


def _standing(index: PartitionIndex, statistics: Statistics, now: int) -> Standing:
    """What the open tasks of a partition wait for."""
    overdue = index.overdue(now)
    waiting, undispatched = index.deadlines["start"], index.deadlines["dispatch"]
    oldest = index.get(waiting[0].task_id) if waiting else None
    return Standing(
        waiting=len(waiting),
        waiting_since=None if oldest is None else oldest.since,
        last_started_at=max((worker.last_started_at or 0 for worker in statistics.workers.values()), default=0),
        undispatched=overdue["dispatch"],
        undispatched_since=undispatched[0].at if overdue["dispatch"] else None,
        stuck=sum(overdue.values()),
        retrying=len(index.retrying),
    )


def _view(shares: Mapping[int, Share], now: int) -> dict[str, Any]:
    totals = merge([share.totals for share in shares.values()])
    this = dict(zip(COUNTED, _columns(share.this_minute for share in shares.values()), strict=True))
    last = dict(zip(COUNTED, _columns(share.last_minute for share in shares.values()), strict=True))
    standing = [share.standing for share in shares.values() if share.standing is not None]
    states = Counter(totals.states)
    recent = dict(zip(COUNTED, _columns(share.recent for share in shares.values()), strict=True))
    return {
        "states": totals.states,
        "open": sum(states[state] for state in OPEN),
        "lastMinute": last,
        "perSecond": {name: _per_second(this[name], last[name], now) for name in COUNTED},
        "successRate": _share_of(recent["completed"], recent["failedPermanently"]),
        "successRateEver": _share_of(states[State.COMPLETED], states[State.FAILED_PERMANENTLY]),
        "latencies": latency_view(joined(share.latencies for share in shares.values())),
        "lag": {
            "total": sum(share.lag for share in shares.values()),
            "byPartition": {str(partition): shares[partition].lag for partition in sorted(shares)},
        },
        "workers": {
            "seenLastMinute": len({name for share in shares.values() for name in share.seen}),
            "running": states[State.RUNNING],
        },
        "duplicates": totals.duplicates,
        "anomalies": totals.anomalies,
        "unreadable": totals.unreadable,
        "stuck": sum(one.stuck for one in standing),
        "retrying": sum(one.retrying for one in standing),
    }


def _share_of(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None


def _columns(rows: Any) -> list[int]:
    return [sum(column) for column in zip([0] * len(COUNTED), *rows, strict=True)]


def _per_second(this: int, last: int, now: int) -> float:
    """The rate now: of the minute that has begun, together with the one before while it is young."""
    elapsed = now % MINUTE_MS
    if elapsed >= SETTLED_IN_MS:
        return round(this * 1000 / elapsed, 3)
    return round((this + last) * 1000 / (MINUTE_MS + elapsed), 3)
