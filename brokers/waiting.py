"""Waiting for something to become true, always with a deadline."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Ask again and again until the answer is yes or the time is up.

    Args:
        condition: the question; asked at least once.
        seconds: how long to go on asking.
        every: pause between two questions in seconds.

    Returns:
        The last answer.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True
