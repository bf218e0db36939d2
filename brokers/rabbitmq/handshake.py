"""One AMQP 0-9-1 connection, opened and closed again: the proof that RabbitMQ takes work.

A port that accepts connections is not enough: the handshake also shows that the user can log in and that the
virtual host exists. Frames and methods as in the AMQP 0-9-1 specification, 2.3.5 and 1.4.
"""

import socket
import struct

_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
_CONNECTION = 10
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE, _CLOSE_OK = 10, 11, 30, 31, 40, 41, 50, 51
_FRAME_END = b"\xce"
_LARGEST_FRAME = 131072


def opens(host: str, port: int, user: str, password: str, virtual_host: str, seconds: float) -> bool:
    """Whether a client can log in and open a virtual host.

    Args:
        host: name or address.
        port: of the AMQP listener.
        user: who logs in, with mechanism PLAIN.
        password: the user's.
        virtual_host: which one to open.
        seconds: how long to wait for each answer.

    Raises:
        OSError: nobody listens, or no answer came in time.
    """
    with socket.create_connection((host, port), timeout=seconds) as connection:
        connection.sendall(_PROTOCOL_HEADER)
        if _receive(connection) != _START:
            return False
        credentials = b"\x00" + user.encode() + b"\x00" + password.encode()
        empty_table = struct.pack(">I", 0)
        _send(connection, _START_OK, empty_table + _short("PLAIN") + _long(credentials) + _short("en_US"))
        if _receive(connection) != _TUNE:
            return False
        _send(connection, _TUNE_OK, struct.pack(">HIH", 1, _LARGEST_FRAME, 0))
        _send(connection, _OPEN, _short(virtual_host) + _short("") + b"\x00")
        if _receive(connection) != _OPEN_OK:
            return False
        # A proper goodbye, or the broker logs a warning for every question.
        _send(connection, _CLOSE, struct.pack(">H", 200) + _short("") + struct.pack(">HH", 0, 0))
        return _receive(connection) == _CLOSE_OK


def _send(connection: socket.socket, method: int, arguments: bytes) -> None:
    payload = struct.pack(">HH", _CONNECTION, method) + arguments
    connection.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + _FRAME_END)


def _receive(connection: socket.socket) -> int | None:
    """The number of the connection-class method in the next frame; None for anything else, also the end."""
    header = _exactly(connection, 7)
    if len(header) < 7:
        return None
    kind, channel, size = struct.unpack(">BHI", header)
    if kind != 1 or channel != 0 or size > _LARGEST_FRAME:
        return None  # no method frame: for example the protocol header of another version
    payload = _exactly(connection, size + 1)
    if len(payload) < 5:
        return None
    family, method = struct.unpack(">HH", payload[:4])
    return int(method) if family == _CONNECTION else None


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (more := connection.recv(size - len(received))):
        received += more
    return received


def _short(text: str) -> bytes:
    return struct.pack(">B", len(text)) + text.encode()


def _long(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content
