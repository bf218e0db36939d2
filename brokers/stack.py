"""All brokers of one folder together: installed, started, watched and stopped as one."""

import fcntl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from brokers.broker import Broker
from brokers.endpoints import SERVICES, BrokerStatus, Endpoints, Profile, Service
from brokers.errors import BrokerError
from brokers.installation import install
from brokers.kafka.broker import KafkaBroker
from brokers.kafka.configuration import Detour
from brokers.ports import LOOPBACK, Ports
from brokers.rabbitmq.broker import PASSWORD, USER, RabbitMQBroker
from brokers.redis import RedisBroker

DEFAULT_ROOT = Path(".streamapp/brokers")


def _silent(_message: str) -> None:
    """Say nothing."""


class Stack:
    """Kafka, RabbitMQ and Redis in one folder.

    Attributes:
        kafka, rabbitmq, redis: the brokers one by one, for fault tests.

    Args:
        root: everything is kept here; the same folder finds the same brokers again.
        ports: where they listen on 127.0.0.1.
        profile: how careful they are with the disk.
        services: which of them belong to this stack; the others are left alone.
        notify: told in a few words what happens.
        cache: where Kafka's jars are kept; by default the user's cache folder.
        detour: a further listener of Kafka's, for clients behind a proxy.
    """

    def __init__(
        self,
        root: Path = DEFAULT_ROOT,
        ports: Ports | None = None,
        profile: Profile = "durable",
        services: frozenset[Service] = SERVICES,
        notify: Callable[[str], None] = _silent,
        cache: Path | None = None,
        detour: Detour | None = None,
    ) -> None:
        self.root = root.absolute()
        self.ports = ports or Ports.default()
        self.profile: Profile = profile
        self.services = services
        self.notify = notify
        self.kafka = KafkaBroker(self.root, self.ports, profile, notify, cache, detour)
        self.rabbitmq = RabbitMQBroker(self.root, self.ports, profile, notify)
        self.redis = RedisBroker(self.root, self.ports, profile, notify)

    @property
    def brokers(self) -> tuple[Broker, ...]:
        """The brokers that belong to this stack; the slowest to start comes first."""
        everyone: tuple[Broker, ...] = (self.rabbitmq, self.kafka, self.redis)
        return tuple(broker for broker in everyone if broker.name in self.services)

    @property
    def endpoints(self) -> Endpoints:
        """Where clients find the brokers, running or not."""
        return Endpoints(
            kafka=f"{LOOPBACK}:{self.ports.kafka}",
            rabbitmq_url=f"amqp://{USER}:{PASSWORD}@{LOOPBACK}:{self.ports.rabbitmq}/",
            redis_url=f"redis://{LOOPBACK}:{self.ports.redis}/0",
            profile=self.profile,
        )

    def install(self) -> None:
        """Bring whatever the stack's services need and this machine lacks. Quick if nothing is missing.

        Raises:
            NotInstalled: something is missing and cannot be installed from here; says what to install.
            InstallationFailed: the package manager or Maven failed.
            JarsDamaged: Kafka's jars are not the pinned ones.
        """
        install(self.services, self.kafka.jars, self.notify)

    def start(self) -> Endpoints:
        """Start what is not running, all at the same time, and wait until every broker answers.

        If one of them cannot be started, those that this call has started are stopped again.

        Raises:
            BrokerError: see `Broker.launch` and `Broker.wait_ready`.
        """
        with self._alone():
            for broker in self.brokers:
                broker.demand_installed()
                broker.demand_ports()
            launched: list[Broker] = []
            try:
                for broker in self.brokers:
                    if not broker.running:
                        launched.append(broker)
                    broker.launch()
                for broker in self.brokers:
                    broker.wait_ready()
            except BaseException:
                _stop_together(launched)
                raise
        return self.endpoints

    def stop(self) -> None:
        """Stop what was started from this folder, whatever the ports are now. Leaves no process behind."""
        if not self.root.exists():
            return
        with self._alone():
            _stop_together(self.brokers)

    def status(self) -> tuple[BrokerStatus, ...]:
        """Every broker of this stack as it is now."""
        return tuple(broker.status for broker in self.brokers)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from starting or stopping the same folder meanwhile. Ends with its holder."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / "lock").open("w")
        except OSError as error:
            raise BrokerError(f"{self.root} cannot be written: {error}. Choose another folder.") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _stop_together(brokers: Sequence[Broker]) -> None:
    """Stop several brokers at the same time; every one is tried, then the first failure is raised."""
    with ThreadPoolExecutor(max_workers=3) as threads:
        for stopped in [threads.submit(broker.stop) for broker in brokers]:
            stopped.result()
