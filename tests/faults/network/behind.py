"""The brokers as the roles of an arena find them: each behind a proxy, RabbitMQ with a wiretap on the line.

In: running brokers (Kafka with a detour, so that it sends its clients back to the proxy). Out: other endpoints for the
same brokers, the three proxies, and the evidence of the wiretap. Witnesses and clients of the arena go past all this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from brokers import Detour, Endpoints, Service
from brokers.ports import LOOPBACK, free_ports
from tests.faults.network.wiretap import Wiretap
from tests.support.brokers import RunningBrokers
from tests.support.proxy import Proxy


@dataclass(frozen=True)
class Network:
    """`endpoints` is where roles find the brokers, `proxies` what lies between, by the name of the broker."""

    endpoints: Endpoints
    proxies: dict[Service, Proxy]


def free_detour() -> Detour:
    """A detour over ports that are free now."""
    return Detour(*free_ports(2))


def through(url: str, port: int) -> str:
    """The same URL, but at `port` of loopback."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{LOOPBACK}:{port}").geturl()


def target_of(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    assert parts.hostname is not None, url
    assert parts.port is not None, url
    return parts.hostname, parts.port


@asynccontextmanager
async def network(brokers: RunningBrokers, wire: Path) -> AsyncIterator[Network]:
    """Proxies in front of all brokers for the length of the block; what passes RabbitMQ's is written to `wire`."""
    detour, direct, tap = brokers.stack.kafka.detour, brokers.endpoints, Wiretap(wire)
    assert detour is not None, "this Kafka would send its clients past the proxy"
    proxies: dict[Service, Proxy] = {
        "rabbitmq": Proxy(*target_of(direct.rabbitmq_url), tap=tap.connected),
        "kafka": Proxy(LOOPBACK, detour.port, own_port=detour.advertised),
        "redis": Proxy(*target_of(direct.redis_url)),
    }
    for proxy in proxies.values():
        await proxy.start()
    endpoints = Endpoints(
        kafka=f"{LOOPBACK}:{proxies['kafka'].port}",
        rabbitmq_url=through(direct.rabbitmq_url, proxies["rabbitmq"].port),
        redis_url=through(direct.redis_url, proxies["redis"].port),
        profile=direct.profile,
    )
    try:
        yield Network(endpoints, proxies)
    finally:
        for proxy in proxies.values():
            await proxy.stop()
        tap.close()
