"""Real Kafka, RabbitMQ and Redis as ordinary processes on one machine, without containers.

In: a folder, ports, a data profile. Out: running brokers that answer on 127.0.0.1 and nowhere else, and the
addresses to reach them. Everything the brokers write lies under that folder; what was started here is known
by its pid file and is all that is ever stopped. Never touches: streamapp, or any client library of a broker
(readiness is asked for with the standard library's sockets).
"""

from brokers.endpoints import BrokerStatus, Endpoints, Profile, Service
from brokers.errors import (
    BrokerError,
    InstallationFailed,
    JarsDamaged,
    NotInstalled,
    NotReady,
    PortTaken,
    StartedDifferently,
)
from brokers.kafka.command_line import kafka_cli
from brokers.kafka.configuration import Detour
from brokers.ports import Ports
from brokers.stack import Stack

__all__ = [
    "BrokerError",
    "BrokerStatus",
    "Detour",
    "Endpoints",
    "InstallationFailed",
    "JarsDamaged",
    "NotInstalled",
    "NotReady",
    "PortTaken",
    "Ports",
    "Profile",
    "Service",
    "Stack",
    "StartedDifferently",
    "kafka_cli",
]
