"""A whole streamapp on this machine: brokers, set-up, roles. What `up`, `down`, `status` and the demo work on."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from brokers import BrokerStatus, Ports, Service, Stack
from brokers.endpoints import SERVICES
from streamapp.cli import roles
from streamapp.cli.output import wait_for
from streamapp.cli.setup import setup, workers
from streamapp.settings import Settings


class Installation:
    """Brokers that no setting names, and every role; all data below one directory."""

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        self.settings = settings
        self.notify = notify
        ours = settings.brokers
        self.stack = Stack(
            ours.directory,
            Ports(
                kafka=ours.kafka_port,
                kafka_controller=ours.kafka_controller_port,
                rabbitmq=ours.rabbitmq_port,
                rabbitmq_distribution=ours.rabbitmq_distribution_port,
                epmd=ours.epmd_port,
                redis=ours.redis_port,
            ),
            ours.profile,
            _not_named(settings),
            notify,
        )
        self.logs = Path(ours.directory).absolute().parent / "run"
        self.roles = roles.roles(settings, self.logs)
        self.sinks = roles.sinks(settings, self.logs)

    def up(self, *, with_sinks: bool = True) -> None:
        """Start what does not run; idempotent.

        Raises:
            BrokerError, ConfigurationError, Unavailable: with what to do.
        """
        if self.stack.services:
            self.stack.install()
            self.stack.start()
        wait_for(setup(self.settings, self.notify))
        processes = [self.sinks, *self.roles] if with_sinks else self.roles
        started = [process for process in processes if process.start(roles.environment_of())]
        for process in processes:
            process.wait_ready(partial(self._ready, process))
            self.notify(f"{process.name} {'is ready' if process in started else 'was running'}")

    def _ready(self, process: roles.RoleProcess) -> bool | None:
        """A worker has no health page: it is ready when the guard knows it."""
        if process.name != "worker":
            return process.ready
        return any(item["pid"] == process.pid for item in wait_for(workers(self.settings)))

    def down(self) -> None:
        """Stop what `up` started: roles first, workers before the rest, then the brokers."""
        for process in [*reversed(self.roles), self.sinks]:
            if process.status.running:
                process.stop()
                self.notify(f"{process.name} has stopped")
        if self.stack.services:
            self.stack.stop()

    def broker_status(self) -> tuple[BrokerStatus, ...]:
        """The brokers that belong to this installation."""
        return self.stack.status() if self.stack.services else ()

    def role_status(self) -> list[roles.RoleStatus]:
        """Every role's process."""
        return [process.status for process in [*self.roles, self.sinks]]


def _not_named(settings: Settings) -> frozenset[Service]:
    named: dict[Service, object] = {
        "kafka": settings.kafka.bootstrap_servers,
        "rabbitmq": settings.rabbitmq.url,
        "redis": settings.redis.url,
    }
    return frozenset(service for service in SERVICES if named[service] is None)
