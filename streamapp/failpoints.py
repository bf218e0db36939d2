"""Named gaps between two writes, at which a process can be made to die or to stand still: for the fault suite.

In: a setting such as `after-claim=kill@3, before-store=stop`. Out: nothing, unless a gap is armed and reached for the
n-th time. Disarmed, `reached` is an empty function; nothing is looked up and nothing is counted.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamapp.domain.errors import ConfigurationError


class Gap(StrEnum):
    """Where a process may end. The order is that of a task's way through the system."""

    BEFORE_APPEND = "before-append"
    AFTER_APPEND = "after-append"
    BEFORE_EVENTS_FACTS = "before-events-facts"
    AFTER_EVENTS_FACTS = "after-events-facts"
    BEFORE_CHANGELOG = "before-changelog"
    AFTER_CHANGELOG = "after-changelog"
    AFTER_STORE = "after-store"
    BEFORE_COMMIT = "before-commit"
    BEFORE_PUBLISH = "before-publish"
    AFTER_PUBLISH = "after-publish"
    AFTER_CONFIRM = "after-confirm"
    AFTER_DISPATCHED_FACT = "after-dispatched-fact"
    AFTER_CLAIM = "after-claim"
    AFTER_STARTED = "after-started"
    CLAIM_CONFIRMED = "claim-confirmed"
    BEFORE_HANDLER = "before-handler"
    IN_HANDLER = "in-handler"
    AFTER_EFFECT = "after-effect"
    AFTER_HANDLER = "after-handler"
    AFTER_OUTCOME_STORED = "after-outcome-stored"
    AFTER_OUTCOME_FACT = "after-outcome-fact"
    BEFORE_ACK = "before-ack"
    AFTER_ACK = "after-ack"


STREAM_GAPS = (Gap.BEFORE_CHANGELOG, Gap.AFTER_CHANGELOG, Gap.AFTER_STORE, Gap.BEFORE_COMMIT)

GAPS: Mapping[str, tuple[Gap, ...]] = {
    "api": (Gap.BEFORE_APPEND, Gap.AFTER_APPEND),
    "ingest": (Gap.BEFORE_EVENTS_FACTS, Gap.AFTER_EVENTS_FACTS, *STREAM_GAPS),
    "dispatch": (
        *STREAM_GAPS,
        Gap.BEFORE_PUBLISH,
        Gap.AFTER_PUBLISH,
        Gap.AFTER_CONFIRM,
        Gap.AFTER_DISPATCHED_FACT,
    ),
    "diary": STREAM_GAPS,
    "worker": (
        Gap.AFTER_CLAIM,
        Gap.AFTER_STARTED,
        Gap.CLAIM_CONFIRMED,
        Gap.BEFORE_HANDLER,
        Gap.IN_HANDLER,
        Gap.AFTER_EFFECT,
        Gap.AFTER_HANDLER,
        Gap.AFTER_OUTCOME_STORED,
        Gap.AFTER_OUTCOME_FACT,
        Gap.BEFORE_ACK,
        Gap.AFTER_ACK,
    ),
}
"""The gaps that a role passes."""


@dataclass(slots=True)
class _Trap:
    act: Callable[[], None]
    rest: int


_traps: dict[Gap, _Trap] = {}


def _nothing(gap: Gap) -> None:
    """Nothing is armed."""


def _spring(gap: Gap) -> None:
    trap = _traps.get(gap)
    if trap is None:
        return
    trap.rest -= 1
    if trap.rest == 0:
        print(f"failpoint {gap}", file=sys.stderr, flush=True)
        trap.act()


reached: Callable[[Gap], None] = _nothing
"""Say that a gap is reached."""


def armed(gap: Gap) -> bool:
    """Whether something happens at `gap`."""
    return gap in _traps


def arm(setting: str) -> tuple[Gap, ...]:
    """Arm gaps: `<gap>=<action>[@<n>]`, comma-separated; acts when the gap is reached for the n-th time (default 1).

    Actions: `kill` (SIGKILL), `stop` (SIGSTOP), `block:<seconds>` (the whole process sleeps). An empty setting disarms
    everything. Returns the gaps armed.

    Raises:
        ConfigurationError: an unknown gap, an unknown action, a number that is none.
    """
    global reached
    traps = dict(_read(item.strip()) for item in setting.split(",") if item.strip())
    _traps.clear()
    _traps.update(traps)
    reached = _spring if traps else _nothing
    return tuple(traps)


def _read(item: str) -> tuple[Gap, _Trap]:
    name, _, what = item.partition("=")
    action, _, number = what.partition("@")
    if name not in list(Gap):
        raise ConfigurationError(f"failpoints: {name!r} is no gap; there are {', '.join(Gap)}")
    if number and not (number.isdecimal() and int(number)):
        raise ConfigurationError(f"failpoints: {item!r}: after @ comes a number from 1 on")
    return Gap(name), _Trap(_action(item, action), int(number or 1))


def _action(item: str, action: str) -> Callable[[], None]:
    verb, _, seconds = action.partition(":")
    match verb:
        case "kill" if not seconds:
            return lambda: os.kill(os.getpid(), signal.SIGKILL)
        case "stop" if not seconds:
            return lambda: os.kill(os.getpid(), signal.SIGSTOP)
        case "block" if seconds.replace(".", "", 1).isdecimal():
            return lambda: time.sleep(float(seconds))
    raise ConfigurationError(f"failpoints: {item!r}: the action is kill, stop or block:<seconds>")
