"""The values that brokers hand out: where they answer, and how they are. No behaviour, no input or output."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Profile = Literal["durable", "fast"]
"""durable: what was acknowledged survives a power cut. fast: for throw-away runs, which need not."""

Service = Literal["kafka", "rabbitmq", "redis"]

SERVICES: frozenset[Service] = frozenset({"kafka", "rabbitmq", "redis"})


@dataclass(frozen=True)
class Endpoints:
    """Where clients find the brokers.

    All three addresses are always filled from the ports. For a service that was left out of the stack nothing
    listens there on our behalf: its address comes from wherever the caller left it out.

    Attributes:
        kafka: bootstrap server, ``host:port``.
        rabbitmq_url: AMQP URL with user and password.
        redis_url: Redis URL with database number.
        profile: with ``fast``, topics are created without ``flush.messages``.
    """

    kafka: str
    rabbitmq_url: str
    redis_url: str
    profile: Profile


@dataclass(frozen=True)
class BrokerStatus:
    """One broker as it is at this moment.

    Attributes:
        name: which one.
        running: its process lives (it may be paused or still starting).
        ready: it answers its own protocol.
        pid: of the process that signals go to; None if it is not running.
        port: the port on 127.0.0.1 it listens on, or would listen on.
        log_file: everything the process prints.
    """

    name: Service
    running: bool
    ready: bool
    pid: int | None
    port: int
    log_file: Path
