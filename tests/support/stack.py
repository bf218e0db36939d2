"""An installation of streamapp for a test: a namespace and a folder of its own, and roles as processes in it.

Roles are started as a user starts them (the Faust ones by `faust -A streamapp worker -l info`), log JSON lines into a
file that can be asked, and are gone at the end, whatever happened.
"""

import contextlib
import ctypes
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any, Literal, TypeAlias

import aiohttp
from yarl import URL

from brokers import Endpoints, Ports
from brokers.waiting import wait_until
from streamapp.settings import PREFIX, Role
from streamapp.settings.groups import LogSettings
from streamapp.wire.names import Names
from tests.support.waiting import until

AnyRole: TypeAlias = Role | Literal["api", "worker"]
PROJECT = Path(__file__).parents[2]
READY_SECONDS = 40.0
STOP_SECONDS = 25.0
PARTITIONS = 8
FAUST = ("all", "ingest", "dispatch", "diary")
SLOWING = ("PYTHONDONTWRITEBYTECODE",)
"""Not inherited: a process that may keep what it has compiled starts in half the time."""
CLIENTS = ("aiokafka", "aiormq", "aio_pika")

_numbers = itertools.count(1)
_death_signal = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    """In the child: a test run that is killed leaves no role behind."""
    _libc.prctl(_death_signal, signal.SIGKILL)


class RoleProcess:
    """One process of a role."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log_file: Path, url: str) -> None:
        self.name = name
        self.url = url
        self.log_file = log_file
        self._read_from = log_file.stat().st_size if log_file.exists() else 0
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=PROJECT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def text(self) -> str:
        """Everything it has printed since it was started."""
        with self.log_file.open("rb") as log:
            log.seek(self._read_from)
            return log.read().decode(errors="replace")

    def lines(self, message: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """Its log lines whose message contains `message` and whose fields are these."""
        found = []
        for text in self.text().splitlines():
            with contextlib.suppress(ValueError):
                line = json.loads(text)
                wanted = message is None or message in line.get("message", "")
                if wanted and all(line.get(name) == value for name, value in fields.items()):
                    found.append(line)
        return found

    def troubles(self, *expected: str) -> list[str]:
        """Lines that no role may ever write: errors, and tracebacks. Brokers' clients may complain of an outage."""
        errors = [line for line in self.lines() if line.get("level") in ("error", "critical") or "exception" in line]
        ours = [line for line in errors if not line["logger"].startswith(CLIENTS)]
        odd = [line for line in ours if not any(message in line["message"] for message in expected)]
        texts = [f"{line['logger']}: {line['message']} {line.get('exception', '')}" for line in odd]
        return texts + ["a bare traceback"] * ("\nTraceback" in self.text())

    async def logged(self, message: str, seconds: float = 30.0, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """Wait for `count` such lines."""
        await until(lambda: len(self.lines(message, **fields)) >= count, seconds, f"{self.name} says {message!r}")
        return self.lines(message, **fields)

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until `/readyz` says 200."""
        await until(self._says_ready, seconds, f"{self.name} is ready")

    async def gates_open(self, count: int = PARTITIONS, seconds: float = READY_SECONDS) -> None:
        """Wait until dispatch has opened the gates of `count` partitions since it was started."""

        def opened() -> bool:
            return len({line["partition"] for line in self.lines("gate open")}) >= count

        await until(opened, seconds, f"{self.name} opens {count} gates")

    async def _says_ready(self) -> bool:
        assert self.running, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
        try:
            status, _ = await self.get("/readyz")
        except (OSError, TimeoutError, aiohttp.ClientError):
            return False
        return status == 200

    async def get(self, path: str, seconds: float = 10.0) -> tuple[int, Any]:
        """Status and JSON of a page."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(URL(self.url + path, encoded=True)) as response,
        ):
            return response.status, await response.json(content_type=None)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """SIGTERM, and its exit status. Fails if it does not end in time."""
        self.signal(signal.SIGTERM)
        return self.ended(seconds)

    def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Wait until it has ended; its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds:g} s:\n{self.tail()}") from None

    def tail(self, count: int = 30) -> str:
        """The end of what it printed."""
        return "\n".join(self.text().splitlines()[-count:])


class Installation:
    """One namespace on the brokers of the test run."""

    def __init__(self, endpoints: Endpoints, folder: Path, **settings: str) -> None:
        self.endpoints = endpoints
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.names = Names(f"t{os.getpid()}-{next(_numbers)}")
        self._settings = settings
        self._ports: dict[str, int] = {}
        self.surroundings: dict[str, str] = {}
        self.processes: list[RoleProcess] = []

    def environment(self, name: str, role: AnyRole, **settings: str) -> dict[str, str]:
        """All of a role's environment variables."""
        port = self._ports.setdefault(name, free_port())
        of_role = {} if role == "worker" else {f"{'DIARY' if role == 'all' else role.upper()}__PORT": str(port)}
        if role in FAUST:
            of_role["ROLE"] = role
        ours = {
            "INSTANCE": name,
            "NAMESPACE": self.names.namespace,
            "DATA_DIRECTORY": str(self.data(name)),
            "KAFKA__BOOTSTRAP_SERVERS": self.endpoints.kafka,
            "KAFKA__FLUSH_MESSAGES": "0",
            "KAFKA__SESSION_TIMEOUT_SECONDS": "6",
            "RABBITMQ__URL": self.endpoints.rabbitmq_url,
            "REDIS__URL": self.endpoints.redis_url,
            "LOG__FORMAT": "json",
            **of_role,
            **self._settings,
            **settings,
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith((PREFIX, *SLOWING))}
        return {**inherited, **self.surroundings, **{PREFIX + key: value for key, value in ours.items()}}

    def start(self, role: AnyRole = "all", name: str | None = None, **settings: str) -> RoleProcess:
        """Start a role. The same name finds the same tables, port and log file again."""
        name = name or role
        environment = self.environment(name, role, **settings)
        url = f"http://127.0.0.1:{self._ports[name]}"
        level = LogSettings(level=environment.get(f"{PREFIX}LOG__LEVEL", "INFO")).faust_level
        process = RoleProcess(name, command_of(role, level), environment, self.folder / f"{name}.log", url)
        self.processes.append(process)
        return process

    async def started(self, role: AnyRole = "all", name: str | None = None, **settings: str) -> RoleProcess:
        """Start a role and wait until it is ready."""
        process = self.start(role, name, **settings)
        await process.ready()
        return process

    def data(self, name: str) -> Path:
        """The data directory of the process of this name."""
        return self.folder / f"data-{name}"

    def tables(self, name: str, role: AnyRole = "all") -> Path:
        """Where that process keeps its RocksDB files."""
        return self.data(name) / self.names.app_id(role) / "v1" / "tables"

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            if process.running:
                process.signal(signal.SIGCONT)
                process.kill()


@contextlib.contextmanager
def installation(endpoints: Endpoints, folder: Path, **settings: str) -> Iterator[Installation]:
    """An installation that leaves no process behind."""
    made = Installation(endpoints, folder, **settings)
    try:
        yield made
    finally:
        made.close()


def command_of(role: AnyRole, level: str = "info") -> list[str]:
    """How a user starts a role."""
    if role in FAUST:
        return [str(Path(sys.executable).with_name("faust")), "-A", "streamapp", "worker", "-l", level]
    return [sys.executable, "-m", f"streamapp.{role}"]


def free_port() -> int:
    """A port that nobody listens on and that the kernel gives to no outgoing connection."""
    return int(astuple(Ports.free())[0])


def wait_for_end(processes: Mapping[str, RoleProcess], seconds: float = STOP_SECONDS) -> bool:
    """Whether all of them end in time."""
    return wait_until(lambda: not any(process.running for process in processes.values()), seconds)
