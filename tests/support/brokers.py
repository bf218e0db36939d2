"""Real brokers for a test run: started once, in a fresh folder on free ports, and gone afterwards.

``STREAMAPP_TEST_KAFKA`` (host:port), ``STREAMAPP_TEST_RABBITMQ`` and ``STREAMAPP_TEST_REDIS`` (URLs) name brokers
that run already; those are used as they are and never started, hurt or stopped. Everything else is started here. A
broker that cannot be started fails the tests; it does not skip them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from brokers import Detour, Endpoints, Ports, Service, Stack
from brokers.watchdog import start_watchdog

_SETTINGS: dict[Service, str] = {
    "kafka": "STREAMAPP_TEST_KAFKA",
    "rabbitmq": "STREAMAPP_TEST_RABBITMQ",
    "redis": "STREAMAPP_TEST_REDIS",
}


@dataclass(frozen=True)
class RunningBrokers:
    """The brokers of this test run.

    Attributes:
        stack: to kill, pause and restart those in ``stack.services``; the others belong to somebody else.
        endpoints: where all three are, whoever runs them.
    """

    stack: Stack
    endpoints: Endpoints


@contextmanager
def running_brokers(
    services: frozenset[Service] | None = None, detour: Detour | None = None
) -> Iterator[RunningBrokers]:
    """Brokers in a fresh folder on free ports, which leave nothing behind, even if this process is killed.

    Args:
        services: which ones to start; by default those that no setting names.
        detour: a further listener of Kafka's, for clients behind a proxy.

    Raises:
        BrokerError: they cannot be installed or started.
    """
    elsewhere = {service: os.environ[name] for service, name in _SETTINGS.items() if os.environ.get(name)}
    wanted = frozenset(_SETTINGS) - frozenset(elsewhere) if services is None else services
    root = Path(tempfile.mkdtemp(prefix="streamapp-brokers-"))
    # If this process dies without a farewell, the watchdog sees its pipe close and stops the brokers.
    watchdog = start_watchdog(root, remove=True)
    try:
        stack = Stack(root, Ports.free(), profile="fast", services=wanted, detour=detour)
        stack.install()
        yield RunningBrokers(stack, _with(stack.start(), {} if services is not None else elsewhere))
    finally:
        Stack(root).stop()
        watchdog.communicate()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def brokers_stack() -> Iterator[RunningBrokers]:
    """The brokers all tests of a run share."""
    with running_brokers() as brokers:
        yield brokers


def _with(endpoints: Endpoints, elsewhere: dict[Service, str]) -> Endpoints:
    """The same endpoints, but with the brokers that run elsewhere."""
    return replace(
        endpoints,
        kafka=elsewhere.get("kafka", endpoints.kafka),
        rabbitmq_url=elsewhere.get("rabbitmq", endpoints.rabbitmq_url),
        redis_url=elsewhere.get("redis", endpoints.redis_url),
    )
