"""The task of every peer: it does nothing but say how late it began. And the pace at which tasks are enqueued."""

import time
from collections.abc import Iterator

FORGIVEN_SECONDS = 0.001
"""Timers of event loops are no finer than this; what a producer is later than that counts as latency."""

PAYLOAD = {
    "userId": "user-0000001",
    "email": "somebody.with.a.name@example.com",
    "template": "welcome",
    "locale": "en-GB",
    "parameters": {"plan": "trial", "days": 14, "referrer": "newsletter-2026-02", "tags": ["a", "b", "c"]},
}
"""Two hundred bytes of JSON, as an event of the first seed might carry."""

NAME = "noop"


def began(since: float) -> float:
    """What the task returns: seconds from `since` until now, both on the machine's monotonic clock."""
    return time.monotonic() - since


def schedule(per_second: int, seconds: int) -> Iterator[float]:
    """The instants at which tasks are due, from a moment on that is near enough."""
    start = time.monotonic() + 0.05
    return (start + number / per_second for number in range(per_second * seconds))


def since(due: float, now: float) -> float:
    """From when the latency of a task counts that was due at `due` and is enqueued `now`."""
    return min(now, due + FORGIVEN_SECONDS)
