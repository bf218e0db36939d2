"""What the benchmark asks of a peer and what it gets back. Values and one calculation; starts nothing.

A peer is a module with the members of `Peer`: `celery_rabbitmq`, `taskiq_rabbitmq`, `node_pipeline`,
`faststream_batch`. `kafka_streams` does no tasks but the same fold, and has members of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

HOME = Path(".streamapp/bench")
"""Where a peer installs itself unless it is told otherwise: in a folder of its own name below this one."""


class PeerFailed(Exception):
    """A peer could not be installed, did not start, died, or did not end in time; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Brokers that run already, on loopback.

    Attributes:
        kafka: `host:port`.
        rabbitmq_url: AMQP URL with user and password.
        redis_url: Redis URL with the database's number. Whether Redis persists is its starter's choice.
        flush_messages: `flush.messages` of the topics that a peer makes for its events, as streamapp's own have it in
            the durable profile; None leaves it to Kafka.
    """

    kafka: str
    rabbitmq_url: str
    redis_url: str
    flush_messages: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run of tasks has cost.

    Attributes:
        tasks_per_second: all tasks, by the time from the first enqueue to the last result stored.
        cpu_seconds_per_1000: user and system time of every process that the peer started, children included, while
            the tasks ran; the brokers' never, and not what it took to start.
        peak_rss_mib: sum of the largest resident size of each of those processes; what they share is counted in each.
        details: the same by process, and what else is worth a column.
    """

    tasks_per_second: float
    cpu_seconds_per_1000: float
    peak_rss_mib: float
    details: dict[str, float] = field(default_factory=dict)


class Peer(Protocol):
    """A module that runs no-op tasks."""

    VERSIONS: dict[str, str]
    """What it is made of, by name."""

    def install(self, folder: Path) -> None:
        """Bring everything into `folder`; nothing is done if it is there. Raises PeerFailed."""

    def end_to_end(self, folder: Path, endpoints: Endpoints, tasks: int, concurrency: int) -> Measured:
        """Run so many no-op tasks, enqueued while they are worked off. Raises PeerFailed."""

    def latency(self, folder: Path, endpoints: Endpoints, per_second: int, seconds: int) -> dict[str, float]:
        """From enqueue to the start of the handler, in milliseconds, at a fixed rate. Raises PeerFailed."""


def quantiles(values_ms: Sequence[float]) -> dict[str, float]:
    """p50, p99, p99.9 and the largest of `values_ms`, by rank: each is a value that occurred."""
    ranked = sorted(values_ms)
    if not ranked:
        raise PeerFailed("nothing was measured")

    def at(share: float) -> float:
        return ranked[min(int(share * len(ranked)), len(ranked) - 1)]

    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "p99.9_ms": at(0.999), "max_ms": ranked[-1]}
