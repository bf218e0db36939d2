"""The attempt policy of a task: how often, how long apart, how long at most.

Resolved when the task is accepted and carried in TaskAccepted; every later decision reads it from there.
"""

import hashlib

from msgspec import Struct

BOUNDS: dict[str, tuple[float, float]] = {
    "max_attempts": (1, 1_000_000),
    "delay_seconds": (0, 1e9),
    "multiplier": (1, 1e9),
    "max_delay_seconds": (0, 1e9),
    "timeout_seconds": (0.001, 1e9),
    "jitter": (0, 1),
}
"""Least and greatest value of each field. Facts carry no other: one that did could not be read again."""

LAST_ATTEMPT = int(BOUNDS["max_attempts"][1])
"""The highest attempt that a fact can carry."""


class Policy(Struct, frozen=True, gc=False, array_like=True):
    """Seed: three attempts, exponential back-off of 1 s, 2 s (4 s if a type allows a fourth).

    `timeout_seconds` bounds one run of the handler. `jitter` is the largest fraction by which a delay may grow.

    Raises:
        ValueError: a field outside its BOUNDS.
    """

    max_attempts: int = 3
    delay_seconds: float = 1.0
    multiplier: float = 2.0
    max_delay_seconds: float = 3600.0
    timeout_seconds: float = 60.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if self in _SOUND:
            return
        for name, (least, greatest) in BOUNDS.items():
            if not least <= getattr(self, name) <= greatest:  # false for NaN, too
                raise ValueError(f"{name} must be between {least:g} and {greatest:g}")
        if len(_SOUND) < MAX_SOUND:
            _SOUND.add(self)


_SOUND: set[Policy] = set()
MAX_SOUND = 1_000
"""Policies known to be sound: every row of a table carries one, and an installation has few."""


def delay_ms(policy: Policy, failures: int, task_id: str) -> int:
    """Milliseconds to wait after the `failures`-th counted failure: delay × multiplier^(failures − 1), capped.

    Jitter is derived from task id and failure count, so that the same decision made twice is the same decision.
    """
    if not policy.delay_seconds:
        return 0
    exponent = max(failures, 1) - 1
    try:
        seconds = policy.delay_seconds * policy.multiplier**exponent
    except OverflowError:
        seconds = policy.max_delay_seconds
    seconds = min(seconds, policy.max_delay_seconds)
    if policy.jitter:
        seconds += seconds * policy.jitter * _fraction(task_id, failures)
    return round(seconds * 1000)


def _fraction(task_id: str, failures: int) -> float:
    digest = hashlib.blake2b(f"{failures}:{task_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
