"""Lines of JSON to and from the process that started this one. When that one goes, so does this."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


def settings() -> dict[str, Any]:
    """The first line of input: what this run is set to."""
    return _read(sys.stdin.readline())


def commands() -> Iterator[dict[str, Any]]:
    """What this process is told to do, until nobody is left to tell it anything."""
    for line in sys.stdin:
        yield _read(line)


def command() -> dict[str, Any] | None:
    """The next command, or None. Blocks."""
    line = sys.stdin.readline()
    return _read(line) if line else None


def say(event: str, **figures: Any) -> None:
    """Tell one event."""
    sys.stdout.write(json.dumps({"event": event, **figures}) + "\n")
    sys.stdout.flush()


def end_with_starter() -> None:
    """From now on, end with SIGTERM when nobody is left to give commands. For processes that take none."""

    def wait() -> None:
        # Not through sys.stdin: a child forked meanwhile would wait for ever for the lock that is held there.
        while os.read(0, 4096):
            continue
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _read(line: str) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise TypeError("a line of input must be an object")
    return found
