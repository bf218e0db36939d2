"""What the three brokers have in common: starting, watching and ending one, and hurting it in fault tests.

A subclass says how its process is launched and how readiness is asked for. Faults are inflicted on the broker's
own process (the JVM, the Erlang VM, redis-server), never on a wrapper.
"""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

from brokers.endpoints import BrokerStatus, Profile, Service
from brokers.errors import NotReady, StartedDifferently
from brokers.ports import Ports, demand_free
from brokers.process import Process
from brokers.safety import make_safe
from brokers.waiting import wait_until

READY_SECONDS = 90.0
STOP_SECONDS = 30.0


class Broker(ABC):
    """One broker of a stack.

    Args:
        root: the stack's folder; the broker lives in ``root/<name>`` and writes nothing elsewhere.
        ports: the ports of the whole stack.
        profile: how careful it is with the disk.
        notify: told in a few words what happens.
    """

    name: ClassVar[Service]
    port_names: ClassVar[tuple[str, ...]]
    """The fields of `Ports` this broker listens on; the first is the one clients use."""

    def __init__(self, root: Path, ports: Ports, profile: Profile, notify: Callable[[str], None]) -> None:
        self.folder = root / self.name
        self.ports = ports
        self.profile: Profile = profile
        self.notify = notify
        self.process = Process(self.folder / "pid", self.folder / "logs" / f"{self.name}.log")

    @abstractmethod
    def demand_installed(self) -> None:
        """Check, without changing anything, that everything needed to start is there.

        Raises:
            NotInstalled: something is missing; says what and how to get it.
            JarsDamaged: Kafka's jars are not the pinned ones.
        """

    @abstractmethod
    def _spawn(self) -> None:
        """Write the configuration and start the process."""

    @abstractmethod
    def _answers(self, port: int) -> bool:
        """Whether the broker answers its protocol on this port. Raises OSError while nobody listens."""

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1; where it would listen, if it is not running."""
        recorded = self._recorded_ports().get(self.port_names[0])
        return recorded if recorded is not None else self._wanted_ports()[self.port_names[0]]

    @property
    def pid(self) -> int | None:
        """The process that signals go to, or None."""
        identity = self.process.identity
        return identity.pid if identity else None

    @property
    def running(self) -> bool:
        """Whether the process lives, be it paused, starting or ready."""
        return self.process.running

    @property
    def ready(self) -> bool:
        """Whether it answers its own protocol now."""
        if not self.running:
            return False
        try:
            return self._answers(self.port)
        except OSError:
            return False

    @property
    def status(self) -> BrokerStatus:
        """Everything about it at this moment."""
        return BrokerStatus(self.name, self.running, self.ready, self.pid, self.port, self.process.log_file)

    def start(self) -> None:
        """Start it and wait until it answers. Does nothing to one that is already running.

        Raises:
            BrokerError: see `launch` and `wait_ready`.
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process without waiting for it. Does nothing to one that is already running.

        Raises:
            StartedDifferently: it runs with other ports or another profile.
            PortTaken: another program listens on one of its ports.
            NotInstalled, JarsDamaged: see `demand_installed`.
        """
        if self.running:
            self._demand_same()
            self.notify(f"{self.name} is already running (pid {self.pid}, port {self.port})")
            return
        self.demand_installed()
        self.demand_ports()
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._spawn()

    def demand_ports(self) -> None:
        """Make sure, if it is not running, that its ports are free.

        Raises:
            PortTaken: another program listens on one of them.
        """
        if not self.running:
            for port_name, port in self._wanted_ports().items():
                demand_free(port, port_name, self.name)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it answers its own protocol and, if it is to be durable, what it was set up with is safe.

        Raises:
            NotReady: it did not within these seconds, its process ended, or the disk takes nothing.
        """
        wait_until(lambda: self.ready or not self.running, seconds)
        if not self.running:
            raise self._not_ready("ended while it was starting")
        if not self.ready:
            raise self._not_ready(f"did not answer on 127.0.0.1:{self.port} within {seconds:.0f} s")
        if self.profile == "durable":
            try:
                make_safe(self.folder)
            except OSError as error:
                raise self._not_ready(f"answers, but its files cannot be flushed to the disk: {error}") from error
        self.notify(f"{self.name} answers on 127.0.0.1:{self.port}")

    def stop(self, grace: float = STOP_SECONDS) -> None:
        """End it gracefully (SIGTERM; SIGKILL after ``grace`` seconds) and leave no process of it behind."""
        if not self.running:
            self.process.forget()
        elif self.process.stop(grace):
            self._ended_gracefully()
            self.notify(f"{self.name} stopped")
        else:
            self.notify(f"{self.name} did not stop within {grace:.0f} s and was killed")

    def _ended_gracefully(self) -> None:
        """Called when the process has ended because it was asked to, and was not killed."""
        return

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Its data stay."""
        self.process.kill()

    def terminate(self) -> None:
        """SIGTERM, without waiting for the end."""
        self.process.signal(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and does nothing, like a machine that hangs."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on after a pause."""
        self.process.signal(signal.SIGCONT)

    def _notes(self) -> Mapping[str, object]:
        return {"ports": self._wanted_ports(), "profile": self.profile}

    def _wanted_ports(self) -> dict[str, int]:
        return {name: port for name, port in asdict(self.ports).items() if name in self.port_names}

    def _recorded_ports(self) -> dict[str, int]:
        recorded = self.process.notes.get("ports")
        return recorded if isinstance(recorded, dict) else {}

    def _demand_same(self) -> None:
        recorded = self.process.notes
        wanted = self._notes()
        for what, value in wanted.items():
            if recorded.get(what) != value:
                raise StartedDifferently(
                    f"{self.name} of {self.folder} already runs with {what} {recorded.get(what)}, but {value} "
                    "is wanted. Stop it first (streamapp down), or keep the former settings."
                )

    def _not_ready(self, what: str) -> NotReady:
        return NotReady(f"{self.name} {what}. The end of {self.process.log_file}:\n{self.process.last_lines()}")


def plain_environment(**more: str) -> dict[str, str]:
    """The environment of a broker: what every program needs, and nothing of ours that could change it."""
    return {"PATH": os.environ.get("PATH", "") + os.pathsep + os.defpath, "LANG": "C.UTF-8", **more}
