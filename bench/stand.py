"""Where the benchmark runs: brokers of its own in a fresh folder, and streamapp's roles as processes on them.

In: a durability profile. Out: endpoints for the peers, installations for streamapp; everything is gone at the end.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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

SETUP_SECONDS = 120.0


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

    def setup(self) -> "subprocess.Popen[bytes]":
        """Begin to set it up: topics, queues, the guard."""
        environment = self.made.environment("cli", "worker")
        command = [sys.executable, "-m", "streamapp.cli", "setup"]
        return subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=subprocess.DEVNULL)


@contextmanager
def stands(stack: Stack, count: int) -> Iterator[Iterator[Stand]]:
    """Fresh installations on running brokers, set up together, as new queues have to settle.

    The processes of one are gone when the next one is asked for; topics go with the brokers.

    Raises:
        RuntimeError: one could not be set up.
    """
    flush = {"KAFKA__FLUSH_MESSAGES": "1" if stack.profile == "durable" else "0"}
    with ExitStack() as left:
        made = []
        for _ in range(count):
            folder = Path(tempfile.mkdtemp(prefix="stand-", dir=stack.root))
            made.append(
                Stand(left.enter_context(installation(stack.endpoints, folder, **QUIET, **flush)), stack.profile)
            )
        begun = [one.setup() for one in made]
        if {process.wait(SETUP_SECONDS) for process in begun} != {0}:
            raise RuntimeError("streamapp setup has failed, see above")
        yield _one_after_the_other(made)


def _one_after_the_other(made: Sequence[Stand]) -> Iterator[Stand]:
    for one in made:
        yield one
        one.made.close()


@contextmanager
def stand(stack: Stack) -> Iterator[Stand]:
    """One of them."""
    with stands(stack, 1) as made:
        yield next(made)
