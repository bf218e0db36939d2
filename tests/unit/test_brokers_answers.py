"""Readiness: a port that accepts connections is not yet a broker that works."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from brokers import BrokerError, Detour, Ports
from brokers.kafka.configuration import server_properties
from brokers.kafka.protocol import registered_brokers
from brokers.ports import can_listen
from brokers.rabbitmq.handshake import opens
from brokers.redis import RedisBroker

Answer = Callable[[bytes], bytes]


@contextmanager
def server(answer: Answer) -> Iterator[int]:
    """A server that answers whatever arrives with what it is told; an empty answer ends the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    while (received := connection.recv(65536)) and (sent := answer(received)):
                        connection.sendall(sent)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def kafka(brokers: int, error: int = 0) -> Answer:
    """A Kafka that knows so many brokers."""

    def answer(request: bytes) -> bytes:
        question, _, correlation = struct.unpack(">hhi", request[4:12])
        body = struct.pack(">hi", error, 0) if question == 18 else struct.pack(">i", brokers)
        return struct.pack(">ii", len(body) + 4, correlation) + body

    return answer


@pytest.mark.parametrize(("brokers", "error", "found"), [(0, 0, 0), (1, 0, 1), (3, 0, 3), (1, 35, 0)])
def test_kafka_is_ready_when_a_broker_has_registered(brokers: int, error: int, found: int) -> None:
    with server(kafka(brokers, error)) as port:
        assert registered_brokers("127.0.0.1", port, 5) == found


def test_kafka_that_hangs_up_is_not_ready() -> None:
    with server(lambda _: b"") as port:
        assert registered_brokers("127.0.0.1", port, 5) == 0


def test_amqp_of_another_version_is_not_ready() -> None:
    """RabbitMQ answers an unknown protocol with the header of the one it wants, and hangs up."""
    with server(lambda request: b"AMQP\x00\x00\x09\x01" if request.startswith(b"AMQP") else b"") as port:
        assert not opens("127.0.0.1", port, "guest", "guest", "/", 0.5)


def test_amqp_that_hangs_up_is_not_ready() -> None:
    with server(lambda _: b"") as port:
        assert not opens("127.0.0.1", port, "guest", "guest", "/", 5)


@pytest.mark.parametrize(
    ("answer", "ready"),
    [(b"+PONG\r\n", True), (b"-LOADING Redis is loading the dataset in memory\r\n", False), (b"", False)],
)
def test_redis_that_still_loads_is_not_ready(tmp_path: Path, answer: bytes, ready: bool) -> None:
    broker = RedisBroker(tmp_path, Ports.default(), "fast", lambda _: None)
    with server(lambda _: answer) as port:
        assert broker._answers(port) is ready


def test_nobody_listening_is_an_error_of_the_system() -> None:
    port = Ports.free().kafka
    with pytest.raises(OSError, match="refused"):
        registered_brokers("127.0.0.1", port, 5)
    with pytest.raises(OSError, match="refused"):
        opens("127.0.0.1", port, "guest", "guest", "/", 5)


def test_free_ports_are_free_and_out_of_the_way_of_outgoing_connections() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = Ports.free()
    for port in (ports.kafka, ports.kafka_controller, ports.rabbitmq, ports.epmd, ports.redis):
        assert can_listen(port)
        assert not low <= port <= high


def test_taken_port_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not can_listen(listener.getsockname()[1])
    with socket.create_server(("", 0)) as listener:
        assert not can_listen(listener.getsockname()[1])


@pytest.mark.parametrize("wrong", [(1, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5), (65536, 1, 2, 3, 4, 5)])
def test_impossible_ports_are_refused(wrong: tuple[int, int, int, int, int, int]) -> None:
    with pytest.raises(BrokerError, match="six different numbers"):
        Ports(*wrong)


def test_kafka_never_creates_topics_and_binds_to_loopback() -> None:
    lines = server_properties(Ports.default(), "/data").splitlines()
    assert "auto.create.topics.enable=false" in lines
    assert "listeners=CLIENTS://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093" in lines
    assert "advertised.listeners=CLIENTS://127.0.0.1:9092" in lines
    assert "listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT" in lines


def test_kafka_sends_clients_of_a_proxy_back_to_the_proxy() -> None:
    lines = server_properties(Ports.default(), "/data", Detour(port=7001, advertised=7002)).splitlines()
    assert "listeners=CLIENTS://127.0.0.1:9092,DETOUR://127.0.0.1:7001,CONTROLLER://127.0.0.1:9093" in lines
    assert "advertised.listeners=CLIENTS://127.0.0.1:9092,DETOUR://127.0.0.1:7002" in lines
    assert "listener.security.protocol.map=CLIENTS:PLAINTEXT,DETOUR:PLAINTEXT,CONTROLLER:PLAINTEXT" in lines
