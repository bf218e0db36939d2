"""RabbitMQ: its configuration, its Erlang VM, its own epmd, and whether it answers.

The VM is started by RabbitMQ's own script, which becomes the VM (exec), so that signals reach the VM itself.
epmd, Erlang's name server, is a process of its own here on a port of its own: otherwise the VM would start a shared
one on all interfaces which stays for ever.
"""

import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from brokers.broker import STOP_SECONDS, Broker, plain_environment
from brokers.endpoints import Profile, Service
from brokers.errors import NotInstalled, NotReady
from brokers.ports import LOOPBACK, Ports
from brokers.process import Process
from brokers.rabbitmq.handshake import opens
from brokers.waiting import wait_until

# RabbitMQ accepts this user from loopback only.
USER = "guest"
PASSWORD = "guest"  # noqa: S105 - RabbitMQ's documented default, no secret
_ANSWER_SECONDS = 5.0
_DEBIAN_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_LOOPBACK_DISTRIBUTION = "-kernel inet_dist_use_interface {127,0,0,1}"


class RabbitMQBroker(Broker):
    """A RabbitMQ node with its data in ``root/rabbitmq/data``."""

    name: ClassVar[Service] = "rabbitmq"
    port_names: ClassVar[tuple[str, ...]] = ("rabbitmq", "rabbitmq_distribution", "epmd")

    def __init__(self, root: Path, ports: Ports, profile: Profile, notify: Callable[[str], None]) -> None:
        super().__init__(root, ports, profile, notify)
        self.epmd = Process(self.folder / "epmd.pid", self.folder / "logs" / "epmd.log")

    def demand_installed(self) -> None:
        """See `Broker.demand_installed`."""
        if find_rabbitmq() is None or shutil.which("epmd") is None:
            raise NotInstalled("RabbitMQ is missing: install the package rabbitmq-server (3.10 or newer).")

    def demand_ports(self) -> None:
        """See `Broker.demand_ports`. An epmd that stayed behind when the VM was killed is ended first."""
        if not self.running:
            self.epmd.stop(STOP_SECONDS)
        super().demand_ports()

    def stop(self, grace: float = STOP_SECONDS) -> None:
        """See `Broker.stop`. Ends epmd too."""
        super().stop(grace)
        self.epmd.stop(grace)

    def control(self, *arguments: str, seconds: float = 60.0) -> str:
        """Run ``rabbitmqctl`` against this node, for example ``control("set_disk_free_limit", "10TB")``.

        Returns:
            What it printed.

        Raises:
            subprocess.CalledProcessError: it reported a failure.
            subprocess.TimeoutExpired: it took longer than ``seconds``.
        """
        program = str((find_rabbitmq() or _DEBIAN_SCRIPTS / "rabbitmq-server").with_name("rabbitmqctl"))
        done = subprocess.run(
            [program, "--quiet", *arguments],
            env=self._environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
        return done.stdout

    def _spawn(self) -> None:
        for folder in ("data", "home", "logs"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        self._write_cookie()
        self._write_configuration()
        environment = self._environment()
        self.epmd.spawn([shutil.which("epmd") or "epmd"], environment, self.folder, {})
        if not wait_until(self._epmd_answers, 10.0):
            raise NotReady(f"epmd did not start. The end of its log:\n{self.epmd.last_lines()}")
        script = str(find_rabbitmq() or _DEBIAN_SCRIPTS / "rabbitmq-server")
        self.process.spawn([script, "-noinput"], environment, self.folder, self._notes())

    def _answers(self, port: int) -> bool:
        return opens(LOOPBACK, port, USER, PASSWORD, "/", _ANSWER_SECONDS)

    def _epmd_answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.ports.epmd), timeout=1.0):
                return True
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        return plain_environment(
            HOME=str(self.folder / "home"),
            ERL_EPMD_PORT=str(self.ports.epmd),
            ERL_EPMD_ADDRESS=LOOPBACK,
            # Every Erlang VM reads this one: also the short-lived ones that RabbitMQ and rabbitmqctl start.
            ERL_AFLAGS=_LOOPBACK_DISTRIBUTION,
            ERL_INETRC=str(self.folder / "inetrc"),
            ERL_CRASH_DUMP=str(self.folder / "logs" / "erl_crash.dump"),
            RABBITMQ_ALLOW_INPUT="true",  # makes the script exec the VM; -noinput takes the shell away again
            RABBITMQ_NODENAME=self._node_name(),
            RABBITMQ_DIST_PORT=str(self.ports.rabbitmq_distribution),
            RABBITMQ_MNESIA_BASE=str(self.folder / "data"),
            RABBITMQ_LOG_BASE=str(self.folder / "logs"),
            RABBITMQ_LOGS="-",
            RABBITMQ_CONF_ENV_FILE="/dev/null",
            RABBITMQ_CONFIG_FILE=str(self.folder / "rabbitmq.conf"),
            RABBITMQ_ADVANCED_CONFIG_FILE=str(self.folder / "advanced.config"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(self.folder / "enabled_plugins"),
            RABBITMQ_PID_FILE=str(self.folder / "erlang.pid"),
        )

    def _node_name(self) -> str:
        """The data belong to a node's name, so the first start's name stays when the port changes later."""
        recorded = self.folder / "node"
        if not recorded.exists():
            recorded.write_text(f"streamapp-{self.ports.rabbitmq}@localhost\n")
        return recorded.read_text().strip()

    def _write_cookie(self) -> None:
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)

    def _write_configuration(self) -> None:
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "inetrc").write_text('{lookup, [file]}.\n{host, {127,0,0,1}, ["localhost"]}.\n')
        distribution = self.ports.rabbitmq_distribution
        (self.folder / "rabbitmq.conf").write_text(
            "\n".join(
                (
                    f"listeners.tcp.1 = {LOOPBACK}:{self.ports.rabbitmq}",
                    f"distribution.listener.port_range.min = {distribution}",
                    f"distribution.listener.port_range.max = {distribution}",
                    "disk_free_limit.absolute = 200MB",
                    "vm_memory_high_watermark.absolute = 1GB",
                    "",
                )
            )
        )


def find_rabbitmq() -> Path | None:
    """RabbitMQ's own start script, or None.

    Debian's ``rabbitmq-server`` on the PATH is a wrapper that changes the user; the real script lies elsewhere,
    beside ``rabbitmq-env``.
    """
    on_path = shutil.which("rabbitmq-server")
    candidates = [_DEBIAN_SCRIPTS / "rabbitmq-server"] + ([Path(on_path).resolve()] if on_path else [])
    return next((path for path in candidates if path.with_name("rabbitmq-env").exists()), None)
