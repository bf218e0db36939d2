"""Two questions of Kafka's protocol over a plain socket: which versions it speaks, and which brokers there are.

The second matters: a broker accepts connections before it has registered with its controller and can do work.
Formats: ApiVersions v0 and Metadata v1, kafka.apache.org/protocol.
"""

import socket
import struct

_API_VERSIONS, _METADATA = 18, 3
_CLIENT = b"streamapp-brokers"


def registered_brokers(host: str, port: int, seconds: float) -> int:
    """How many brokers the cluster knows and considers alive.

    Args:
        host: name or address.
        port: of the broker's client listener.
        seconds: how long to wait for each answer.

    Returns:
        0 also if it answers, but with an error.

    Raises:
        OSError: nobody listens, or no answer came in time.
    """
    with socket.create_connection((host, port), timeout=seconds) as connection:
        versions = _ask(connection, _API_VERSIONS, 0, b"")
        if len(versions) < 2 or struct.unpack(">h", versions[:2])[0] != 0:
            return 0
        no_topics = struct.pack(">i", 0)
        metadata = _ask(connection, _METADATA, 1, no_topics)
        return int(struct.unpack(">i", metadata[:4])[0]) if len(metadata) >= 4 else 0


def _ask(connection: socket.socket, question: int, version: int, body: bytes) -> bytes:
    """Send one request and return the answer without its header; empty if the connection ends."""
    request = struct.pack(">hhih", question, version, question, len(_CLIENT)) + _CLIENT + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    size = _exactly(connection, 4)
    if len(size) < 4:
        return b""
    return _exactly(connection, int(struct.unpack(">i", size)[0]))[4:]


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (more := connection.recv(size - len(received))):
        received += more
    return received
