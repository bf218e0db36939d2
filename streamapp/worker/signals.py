"""SIGTERM and SIGINT as two events: the first signal asks to stop, the second to hurry."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """What this process was asked to do."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()

    def received(self) -> None:
        """A signal has come."""
        (self.hurry if self.stop.is_set() else self.stop).set()

    @contextmanager
    def installed(self) -> Iterator["Signals"]:
        """Listen meanwhile. To be called in the event loop of the main thread."""
        loop = asyncio.get_running_loop()
        for number in NUMBERS:
            loop.add_signal_handler(number, self.received)
        try:
            yield self
        finally:
            for number in NUMBERS:
                loop.remove_signal_handler(number)
