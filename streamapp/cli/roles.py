"""The roles as processes on this machine: started detached, found again by their pid files, stopped with patience."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from brokers.process import Process
from streamapp.domain.errors import Unavailable
from streamapp.settings import Settings

READY_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """A role's process as it is at this moment. `ready` is None for a role that has no health page."""

    name: str
    running: bool
    ready: bool | None
    pid: int | None
    log_file: Path


class RoleProcess:
    """One role. `health` is the URL that answers 200 when it is ready, if it has one."""

    def __init__(
        self, name: str, command: list[str], directory: Path, health: str | None, grace_seconds: float
    ) -> None:
        self.name = name
        self._command = command
        self._directory = directory
        self._health = health
        self._grace = grace_seconds
        self._process = Process(directory / f"{name}.pid", directory / f"{name}.log")

    def start(self, environment: Mapping[str, str]) -> bool:
        """Start it unless it runs. Whether it was started."""
        if self._process.running:
            return False
        self._directory.mkdir(parents=True, exist_ok=True)
        self._process.spawn(self._command, environment, Path.cwd(), {})
        return True

    @property
    def pid(self) -> int | None:
        """Its process id, if it runs."""
        identity = self._process.identity
        return identity.pid if identity else None

    def wait_ready(self, is_ready: Callable[[], bool | None]) -> None:
        """Wait until `is_ready` does not say False.

        Raises:
            Unavailable: it ended, or was not ready in time; with the end of its log.
        """
        deadline = time.monotonic() + READY_SECONDS
        while is_ready() is False:
            if not self._process.running:
                raise Unavailable(f"{self.name} ended while starting. Its log ends:\n{self._process.last_lines()}")
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.name} is not ready. Its log ends:\n{self._process.last_lines()}")
            time.sleep(0.1)

    def stop(self) -> bool:
        """Ask it to end, and wait. Whether it ended by itself."""
        return self._process.stop(self._grace)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    @property
    def ready(self) -> bool | None:
        """Whether it says it is ready; None if it cannot say."""
        return None if self._health is None else _answers(self._health)

    @property
    def status(self) -> RoleStatus:
        """Its state now."""
        pid = self.pid
        ready = self.ready if pid else (None if self._health is None else False)
        return RoleStatus(self.name, pid is not None, ready, pid, self._process.log_file)


def roles(settings: Settings, directory: Path) -> list[RoleProcess]:
    """The roles of one machine, in the order in which they start: streams first, workers last."""
    python = [sys.executable, "-m"]
    grace = settings.worker.shutdown_grace_seconds + 15
    level = settings.log.faust_level
    diary = f"http://127.0.0.1:{settings.diary.port}/readyz"
    api = f"http://127.0.0.1:{settings.api.port}/readyz"
    return [
        RoleProcess("streams", [*python, "faust", "-A", "streamapp", "worker", "-l", level], directory, diary, 20),
        RoleProcess("api", [*python, "streamapp.api"], directory, api, 15),
        RoleProcess("worker", [*python, "streamapp.worker"], directory, None, grace),
    ]


def sinks(settings: Settings, directory: Path) -> RoleProcess:
    """The local mail and webhook sinks."""
    command = [sys.executable, "-m", "streamapp.cli.sinks", "--smtp-port", str(settings.smtp.port)]
    return RoleProcess("sinks", command, directory, None, 5)


def environment_of(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a role: this process's, with changes."""
    return {**os.environ, **(changes or {})}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own loopback URL
            return bool(json.load(response)) and response.status == 200
    except (OSError, urllib.error.URLError, ValueError):
        return False
