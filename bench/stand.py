"""Where the benchmark runs: brokers of its own in a fresh folder, and streamapp's roles as processes on them.

In: a durability profile. Out: endpoints for the peers, installations for streamapp; everything is gone at the end.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from brokers import Endpoints, Ports, Profile, Stack
from brokers.watchdog import start_watchdog
from tests.support.stack import PROJECT, Installation, RoleProcess, installation

QUIET = {
    "TASKS__TYPES": '["bench.tasks"]',
    "TASKS__HANDLERS": '["bench.tasks"]',
    "TASKS__DEFAULT_TIMEOUT_SECONDS": "10",
    "LOG__LEVEL": "WARNING",
    "KAFKA__SESSION_TIMEOUT_SECONDS": "30",
}
"""Logs of single tasks are off, as they are for the peers. Five slots may hold 250 jobs where none runs for long."""


@contextmanager
def running_stack(profile: Profile) -> Iterator[Stack]:
    """Brokers that are gone afterwards. Raises BrokerError if they cannot be started."""
    root = Path(tempfile.mkdtemp(prefix="streamapp-bench-"))
    watchdog = start_watchdog(root, remove=True)
    stack = Stack(root, Ports.free(), profile=profile)
    try:
        stack.install()
        stack.start()
        yield stack
    finally:
        stack.stop()
        watchdog.communicate()


class Stand:
    """One installation of streamapp, empty at the beginning."""

    def __init__(self, made: Installation, profile: Profile) -> None:
        self.made = made
        self.profile: Profile = profile
        made.surroundings["PYTHONPATH"] = str(PROJECT)
        self._command("setup")

    @property
    def endpoints(self) -> Endpoints:
        """The brokers."""
        return self.made.endpoints

    async def ready(self, started: Sequence[RoleProcess]) -> None:
        """Wait for roles that were started together; the worker has no port, and is given no time here.

        Raises:
            RuntimeError: one of them has ended.
        """
        for process in started:
            if not process.name.startswith("worker"):
                await process.ready(120)
        for process in started:
            if not process.running:
                raise RuntimeError(f"{process.name} ended:\n{process.tail()}")

    def _command(self, *arguments: str) -> None:
        environment = self.made.environment("cli", "worker")
        subprocess.run(
            [sys.executable, "-m", "streamapp.cli", *arguments], env=environment, cwd=PROJECT, check=True, timeout=120
        )


@contextmanager
def stand(stack: Stack, **settings: str) -> Iterator[Stand]:
    """A fresh installation on running brokers; its processes are gone at the end, its topics go with the brokers."""
    folder = Path(tempfile.mkdtemp(prefix="stand-", dir=stack.root))
    flush = {"KAFKA__FLUSH_MESSAGES": "1" if stack.profile == "durable" else "0"}
    with installation(stack.endpoints, folder, **{**QUIET, **flush, **settings}) as made:
        yield Stand(made, stack.profile)
