"""Redis: its configuration, its process, and whether it answers.

The guard needs a Redis that neither forgets (append-only file) nor evicts (``noeviction``).
"""

import shutil
import socket
from typing import ClassVar

from brokers.broker import Broker, plain_environment
from brokers.endpoints import Profile, Service
from brokers.errors import NotInstalled
from brokers.ports import LOOPBACK

_ANSWER_SECONDS = 2.0
_APPENDFSYNC: dict[Profile, str] = {"durable": "always", "fast": "no"}


class RedisBroker(Broker):
    """A redis-server with its data in ``root/redis/data``."""

    name: ClassVar[Service] = "redis"
    port_names: ClassVar[tuple[str, ...]] = ("redis",)

    def demand_installed(self) -> None:
        """See `Broker.demand_installed`."""
        if find_redis() is None:
            raise NotInstalled("redis-server is missing: install the package redis-server (7.0 or newer).")

    def _spawn(self) -> None:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "redis.conf"
        configuration.write_text(
            "\n".join(
                (
                    f"bind {LOOPBACK}",
                    f"port {self.ports.redis}",
                    "protected-mode yes",
                    "daemonize no",
                    'logfile ""',
                    f'dir "{data}"',
                    "appendonly yes",
                    f"appendfsync {_APPENDFSYNC[self.profile]}",
                    'save ""',
                    "maxmemory-policy noeviction",
                    "",
                )
            )
        )
        program = find_redis() or "redis-server"
        self.process.spawn([program, str(configuration)], plain_environment(), self.folder, self._notes())

    def _answers(self, port: int) -> bool:
        with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            # While the append-only file is being read the answer is -LOADING.
            return connection.recv(64).startswith(b"+PONG")


def find_redis() -> str | None:
    """The path of redis-server, or None."""
    return shutil.which("redis-server")
