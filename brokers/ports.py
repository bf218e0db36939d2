"""Which ports the brokers use, which are free, and who holds one that is not.

Reads /proc and binds sockets for an instant; opens no connection.
"""

import random
import socket
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from brokers.errors import BrokerError, PortTaken
from brokers.waiting import wait_until

LOOPBACK = "127.0.0.1"
_CLOSING_SECONDS = 3.0
_LISTEN = "0A"  # the kernel's number for TCP_LISTEN in /proc/net/tcp


@dataclass(frozen=True)
class Ports:
    """One TCP port on 127.0.0.1 for every door of the brokers.

    Raises:
        BrokerError: a port is outside 1..65535, or two are the same.
    """

    kafka: int
    kafka_controller: int
    rabbitmq: int
    rabbitmq_distribution: int
    epmd: int
    redis: int

    def __post_init__(self) -> None:
        """Refuse ports that cannot work."""
        numbers: tuple[int, ...] = astuple(self)
        if len(set(numbers)) < len(numbers) or not all(0 < number < 65536 for number in numbers):
            raise BrokerError(f"the brokers' ports must be six different numbers from 1 to 65535: {self}")

    @classmethod
    def default(cls) -> "Ports":
        """Every broker's usual port; not so epmd, whose usual 4369 may belong to another Erlang here."""
        return cls(
            kafka=9092,
            kafka_controller=9093,
            rabbitmq=5672,
            rabbitmq_distribution=25672,
            epmd=4370,
            redis=6379,
        )

    @classmethod
    def free(cls) -> "Ports":
        """Six ports that can be listened on now: see `free_ports`."""
        return cls(*free_ports(6))


def setting_of(port_name: str) -> str:
    """The setting that changes a port, by the name of the field in `Ports`."""
    return f"STREAMAPP_BROKERS__{port_name.upper()}_PORT"


def can_listen(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: connections of a former server that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def demand_free(port: int, port_name: str, service: str) -> None:
    """Make sure that nobody listens on a port.

    Raises:
        PortTaken: somebody does; the message names them, if they can be seen, and the setting to change.
    """
    if can_listen(port):
        return
    holder = _holder(port)
    # A killed process may be gone before the kernel has closed its sockets.
    if holder is None and wait_until(lambda: can_listen(port), _CLOSING_SECONDS):
        return
    raise PortTaken(
        f"{service} cannot start: port {port} on {LOOPBACK} is already used by {holder or 'another process'}, "
        f"not started from this folder. Stop that, or give {service} another port with {setting_of(port_name)}."
    )


def listening_sockets(pid: int) -> frozenset[tuple[str, int]]:
    """The addresses and ports on which a process listens for TCP connections, IPv4 and IPv6.

    The address is the kernel's hexadecimal form: ``0100007F`` is 127.0.0.1, 32 digits are IPv6.
    """
    inodes = _socket_inodes(pid)
    return frozenset((address, port) for address, port, inode in _listeners() if inode in inodes)


def _listeners() -> list[tuple[str, int, str]]:
    """Every listening TCP socket of the machine as (hexadecimal address, port, inode)."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN:
                    address, _, port = fields[1].rpartition(":")
                    found.append((address, int(port, 16), fields[9]))
    return found


def _socket_inodes(pid: int) -> frozenset[str]:
    """The inodes of the sockets a process holds; empty if it is gone or may not be looked at."""
    found = []
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    found.append(target[len("socket:[") : -1])
    return frozenset(found)


def _holder(port: int) -> str | None:
    """Words for whoever listens on a port; None if that cannot be seen."""
    inodes = {inode for _, number, inode in _listeners() if number == port}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and inodes & _socket_inodes(int(entry.name)):
            with suppress(OSError):
                return f"process {entry.name} ({(entry / 'comm').read_text().strip()})"
    return None


def _outside_ephemeral_range() -> range:
    """Unprivileged ports below (or else above) those the kernel hands out by itself."""
    try:
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        low, high = 32768, 60999
    below, above = range(10000, low), range(high + 1, 65536)
    return max(below, above, key=len) if max(len(below), len(above)) >= 1000 else range(10000, 65536)


def free_ports(count: int) -> list[int]:
    """Different ports that can be listened on now.

    They are chosen outside the range from which the kernel takes ports for outgoing connections, so that none of
    them is taken by a passing connection while whoever listens there is being restarted.
    """
    found: list[int] = []
    candidates = _outside_ephemeral_range()
    while len(found) < count:
        number = random.choice(candidates)  # noqa: S311 - no secret
        if number not in found and can_listen(number):
            found.append(number)
    return found
