"""What a client and a broker say, written by hand from the AMQP 0-9-1 specification: method by method, byte by byte."""

import struct
from typing import Any


def short(text: str) -> bytes:
    """A short string."""
    return bytes([len(text)]) + text.encode()


def framed(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel: int, klass: int, number: int, arguments: bytes = b"") -> bytes:
    return framed(1, channel, struct.pack(">HH", klass, number) + arguments)


def message(channel: int, message_id: str | None, body: bytes = b"body", pieces: int = 1) -> bytes:
    """Header and body. The properties are those a job has: content type, headers, mode, ids, time, type."""
    table = short("traceparent") + b"S" + struct.pack(">I", 2) + b"00"
    flags, properties = 0b1011_0100_1110_0000, short("application/json") + struct.pack(">I", len(table)) + table
    properties += b"\x02" + short("task") + short(message_id or "") + struct.pack(">Q", 1_800_000_000) + short("TYPE")
    if message_id is None:
        flags, properties = 0b1000_0000_0000_0000, short("application/json")
    head = framed(2, channel, struct.pack(">HHQH", 60, 0, len(body), flags) + properties)
    size = -(-len(body) // pieces) if body else 1
    return head + b"".join(framed(3, channel, body[at : at + size]) for at in range(0, len(body), size))


def publish(channel: int, message_id: str | None, **more: Any) -> bytes:
    return method(channel, 60, 40, struct.pack(">H", 0) + short("jobs") + short("queue") + b"\x01") + message(
        channel, message_id, **more
    )


def deliver(channel: int, tag: int, message_id: str | None, *, redelivered: bool = False, **more: Any) -> bytes:
    arguments = short("streamapp-0") + struct.pack(">QB", tag, redelivered) + short("jobs") + short("queue")
    return method(channel, 60, 60, arguments) + message(channel, message_id, **more)


def returned(channel: int, message_id: str) -> bytes:
    arguments = struct.pack(">H", 312) + short("NO_ROUTE") + short("jobs") + short("queue")
    return method(channel, 60, 50, arguments) + message(channel, message_id)


def ack(channel: int, tag: int, *, multiple: bool = False) -> bytes:
    return method(channel, 60, 80, struct.pack(">QB", tag, multiple))


def nack(channel: int, tag: int, *, multiple: bool = False) -> bytes:
    """Requeue is the second bit."""
    return method(channel, 60, 120, struct.pack(">QB", tag, 0b10 | multiple))


def reject(channel: int, tag: int) -> bytes:
    return method(channel, 60, 90, struct.pack(">QB", tag, True))


def consume(channel: int, *, no_ack: bool = False) -> bytes:
    arguments = struct.pack(">H", 0) + short("queue") + short("streamapp-0") + bytes([0b10 * no_ack])
    return method(channel, 60, 20, arguments + struct.pack(">I", 0))


OPEN = method(1, 20, 10, short(""))
CONFIRM = method(1, 85, 10, b"\x00")
PROTOCOL = b"AMQP\x00\x00\x09\x01"
HEARTBEAT = framed(8, 0, b"")
