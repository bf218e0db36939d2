"""Lives that show what a broken dispatcher does wrong: for each mutant a short program of the machine's rules."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from tests.model.machine import DispatchMachine
from tests.model.mutant import Mutant


class Step(NamedTuple):
    """A rule and what it is called with."""

    rule: str
    arguments: Mapping[str, Any]


Program: TypeAlias = Sequence[Step]


def live(mutant: Mutant, seed: int, program: Program) -> str | None:
    """Live one life to its end. Returns what went wrong, or None."""
    machine = type("Life", (DispatchMachine,), {"parts": mutant.parts})()
    wrong = None
    with mutant.loose():
        try:
            machine.begin(seed=seed)
            for step in program:
                getattr(machine, step.rule)(**step.arguments)
                machine.nothing_is_wrong()
        except AssertionError as error:
            wrong = str(error)
        try:
            machine.teardown()
        except AssertionError as error:
            wrong = wrong or str(error)
    return wrong


def _accept(count: int, *plan: str, type: str = "EMAIL", most: int = 1) -> Step:
    return Step("accept", {"type": type, "plan": list(plan), "most": most, "count": count})


def _come_in(count: int, *plan: str, pause: int = 50) -> Step:
    return Step("tasks_come_in", {"plans": [list(plan)] * count, "pause": pause})


def _ms(milliseconds: int) -> Step:
    return Step("time_passes", {"milliseconds": milliseconds})


def _seconds(seconds: int) -> Step:
    return Step("much_time_passes", {"seconds": seconds})


def _publishes(*fates: str) -> Step:
    return Step("publishes_meet", {"fates": list(fates)})


def _queue_lost(queue: str = "task-execution", *, delete: bool) -> Step:
    return Step("queue_is_lost", {"queue": queue, "delete": delete})


def _worker_dies(number: int, after: int = 0) -> Step:
    return Step("worker_dies_soon", {"number": number, "after": after})


def _told_again(*places: int) -> list[Step]:
    return [Step("fact_is_told_again", {"place": place}) for place in places]


def _starts(number: int) -> Step:
    return Step("dispatcher_starts", {"number": number})


def _dies(number: int) -> Step:
    return Step("dispatcher_dies", {"number": number})


def _frozen(number: int) -> Step:
    return Step("dispatcher_is_cut_off", {"number": number, "frozen": True})


def _back(number: int) -> Step:
    return Step("dispatcher_comes_back", {"number": number})


def _files_lost(number: int) -> Step:
    return Step("files_are_lost", {"number": number, "names": BOTH})


def _changelogs_deleted(*names: str) -> Step:
    return Step("changelogs_are_deleted", {"names": names})


def _changelogs_cut(rows: int, *names: str) -> Step:
    return Step("changelogs_are_cut", {"number": 0, "rows": rows, "names": names})


def _requeued(pause: int = 1500) -> Step:
    return Step("all_that_failed_is_requeued", {"request": 0, "pause": pause})


BOTH = ("pending", "dedup")
EVERYBODY = Step("everybody_starts", {})
REBALANCE = Step("rebalance", {})
HEARD = [_accept(1), _seconds(3)]
"""Somebody has done something: the broker's clock is known."""

ZOMBIE: Program = [
    EVERYBODY,
    _come_in(8, "fails"),
    _frozen(0),
    _come_in(4),
    _seconds(3),
    _back(0),
    _come_in(4),
    _files_lost(1),
    _starts(1),
    _seconds(3),
]
"""A dispatcher stands still, goes on with its pass behind the new owner's rows, and is given its partitions again."""

REGROWN: Program = [
    _starts(0),
    _come_in(6, "fails"),
    _seconds(1),
    _dies(0),
    _changelogs_cut(6, *BOTH),
    _starts(1),
    _come_in(8),
    _seconds(3),
    _dies(1),
    _starts(0),
    _seconds(3),
]
"""Changelogs are cut while nobody lives, and somebody else makes them longer than they were. Old files come back."""

PROGRAMS: Mapping[str, Program] = {
    "bare horizon": [_dies(0), _accept(2), _starts(0)],
    "gives up on failure": [_publishes("lost"), _accept(1), _ms(400)],
    "fact before publish": [_accept(1)],
    "no return check": [_queue_lost(delete=True), _accept(1), _ms(400)],
    "unknown is done": [_publishes("lost"), _accept(1), _ms(400)],
    "forgets what it did": [_accept(1)],
    "forgets what it does": [*HEARD, _ms(1500), _publishes("lost"), _accept(6), _seconds(3), _seconds(3)],
    "settles nothing": [
        *HEARD,
        EVERYBODY,
        _ms(1500),
        _publishes("lost", "ok", "ok", "lost"),
        _accept(6),
        _ms(100),
        REBALANCE,
        _ms(1500),
        REBALANCE,
        _seconds(3),
    ],
    "never moved on": [_worker_dies(0), _worker_dies(1), _accept(3), _seconds(3), _queue_lost(delete=False)],
    "believes the future": [
        _come_in(8),
        _seconds(15),
        _come_in(4),
        _seconds(3),
        Step("brokers_clock_is_stepped", {"skew": -60_000}),
        _worker_dies(0),
        _accept(4, most=3),
        _seconds(7),
    ],
    "deaf clock": [
        _dies(0),
        Step("dispatchers_clock_is_stepped", {"number": 0, "skew": 60_000}),
        _starts(0),
        _accept(3, "fails", most=3),
        _seconds(3),
    ],
    "stale attempt accepted": [_accept(1, "fails", most=3), _ms(400), _ms(400), *_told_again(1, 2), _ms(400)],
    "any start counts": [
        _accept(1, "fails", most=3),
        _ms(1500),
        _worker_dies(0),
        _worker_dies(1),
        _accept(3, most=3),
        _ms(400),
        *_told_again(1, 2, 3, 4),
        _seconds(15),
    ],
    "too early": [_accept(1, "fails", most=3)],
    "too often": [_accept(1, "fails", "fails")],
    "impatient": [_worker_dies(0), _worker_dies(1), _accept(3), _seconds(15)],
    "never stuck": [
        _worker_dies(0, after=4),
        _worker_dies(1),
        _accept(1, most=3),
        _ms(1500),
        _queue_lost(delete=False),
        _seconds(15),
    ],
    "no gate": [_accept(5), _ms(1500), _files_lost(0), _changelogs_deleted(*BOTH)],
    "old horizon": [
        EVERYBODY,
        _come_in(8),
        _frozen(0),
        _seconds(3),
        _come_in(8),
        _back(0),
        Step("dispatcher_stops", {"number": 1}),
        _seconds(3),
    ],
    "trusts the closed": [_accept(5), _seconds(3), _changelogs_deleted("pending")],
    "keeps the open": [
        EVERYBODY,
        _accept(5, "fails", "ok", most=3),
        _come_in(4, "fails", pause=300),
        _seconds(3),
        _changelogs_deleted("dedup"),
        _starts(2),
        _seconds(3),
    ],
    "forgets the ended": [_accept(1), _seconds(3), *_told_again(0)],
    "marker first": [_accept(5), _ms(280), _files_lost(0), _starts(0)],
    "no changelog": [_accept(5), _ms(400), _files_lost(0), _starts(0)],
    "restores half a pass": [
        Step("tasks_fail_for_good", {"request": 1, "seconds": 3, "then": [["ok"], [], ["fails", "hopeless"]]}),
        _come_in(4, "hopeless", pause=20),
        _changelogs_cut(3, "pending"),
        _changelogs_cut(5, "dedup"),
        _files_lost(0),
        _starts(0),
        _seconds(3),
    ],
    "opens what was taken away": [
        Step("everybody_starts", {}),
        *[
            Step("kafka", {"up": False}),
            _accept(2, "fails", "fails"),
            Step("kafka", {"up": True}),
            *[Step("rebalance", {}), _ms(5)] * 3,
            Step("rebalance", {}),
            _ms(100),
        ]
        * 10,
        _seconds(3),
    ],
    "restores from what is torn": [
        _starts(0),
        _come_in(6),
        _seconds(3),
        _changelogs_cut(6, "pending"),
        _come_in(2),
        _seconds(1),
        _files_lost(0),
        _starts(0),
    ],
    "goes on where it was": REGROWN,
    "skips strangers": ZOMBIE,
    "believes strangers": ZOMBIE,
    "closed wins": [_accept(1, "hopeless"), _seconds(3), _requeued(), _seconds(3)],
    "forgets first": [_accept(1, "hopeless"), _seconds(3), _requeued(100), _ms(100), _seconds(3)],
    "nothing is kept": [_accept(1, "hopeless"), _seconds(3), _requeued(), _seconds(3)],
    "any request counts": [
        _accept(1, "hopeless", "hopeless"),
        _seconds(3),
        _requeued(),
        _seconds(3),
        _requeued(),
        _seconds(3),
    ],
    "failures stay": [_accept(1, "fails", "fails", "fails", most=2), _seconds(7), _requeued(), _seconds(7)],
    "attempts begin again": [_accept(1, "hopeless"), _seconds(3), _requeued(), _seconds(3)],
}
