"""The configuration of a single Kafka node that is broker and controller at once (KRaft)."""

from dataclasses import dataclass

from brokers.ports import LOOPBACK, Ports

NODE_ID = 1
MESSAGE_BYTES = 2 * 1024 * 1024  # largest record batch


@dataclass(frozen=True)
class Detour:
    """A second door for clients that come through a proxy: Kafka tells them to come back through it.

    Attributes:
        port: where Kafka listens for them; the proxy connects to it.
        advertised: where the proxy listens.
    """

    port: int
    advertised: int


def server_properties(ports: Ports, data: str, detour: Detour | None = None) -> str:
    """The text of server.properties.

    Args:
        ports: ``kafka`` for clients, ``kafka_controller`` for the node's own controller.
        data: the folder of the log.
        detour: a further listener.
    """
    clients = {"CLIENTS": (ports.kafka, ports.kafka)}
    if detour is not None:
        clients["DETOUR"] = (detour.port, detour.advertised)
    controller = f"CONTROLLER://{LOOPBACK}:{ports.kafka_controller}"
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{ports.kafka_controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join([f"{name}://{LOOPBACK}:{port}" for name, (port, _) in clients.items()] + [controller]),
        "advertised.listeners": ",".join(f"{name}://{LOOPBACK}:{port}" for name, (_, port) in clients.items()),
        "inter.broker.listener.name": "CLIENTS",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in (*clients, "CONTROLLER")),
        "log.dirs": data,
        # Topics are declared by their owner with the settings they need, or not at all.
        "auto.create.topics.enable": "false",
        "message.max.bytes": MESSAGE_BYTES,
        "replica.fetch.max.bytes": MESSAGE_BYTES,
        # One node: nobody else could hold a replica.
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 8,
        # The first consumer of a group need not wait for others.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 6000,
        # After a crash the controller refuses the restarted broker until the session of the dead one has run
        # out (DuplicateBrokerRegistrationException): 9 s by default, though on one node nobody else could take over.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        # Small machine: fewer threads and a smaller compaction buffer than the defaults for servers.
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
