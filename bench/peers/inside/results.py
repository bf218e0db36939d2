"""Results in Redis: waiting until the last one is stored, and deleting them. Cheap, for it counts as the client's work.

One EXISTS asks for hundreds of keys, and nothing is asked for before the last task was published.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from redis import Redis

CHUNK = 500
PAUSE_SECONDS = 0.01
LAST_PAUSE_SECONDS = 0.002


def wait(redis: Redis, keys: Sequence[str]) -> float:
    """Wait until every key is there; the monotonic time at which the last one was seen.

    Whoever started this process sees to it that it does not wait for ever.
    """
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        last = start + CHUNK >= len(keys)
        while redis.exists(*chunk) < len(chunk):
            time.sleep(LAST_PAUSE_SECONDS if last else PAUSE_SECONDS)
    return time.monotonic()


def read(redis: Redis, keys: Sequence[str]) -> list[Any]:
    """The values of keys that are there, as JSON."""
    found: list[Any] = []
    for start in range(0, len(keys), CHUNK):
        found += [json.loads(value) for value in redis.mget(keys[start : start + CHUNK]) if value is not None]
    return found


def forget(redis: Redis, prefix: str) -> None:
    """Delete every key that begins with `prefix`."""
    chunk: list[bytes] = []
    for key in redis.scan_iter(match=f"{prefix}*", count=1000):
        chunk.append(key)
        if len(chunk) >= CHUNK:
            redis.unlink(*chunk)
            chunk = []
    if chunk:
        redis.unlink(*chunk)
