"""AMQP 0-9-1 frames out of a stream of bytes, however it is cut into pieces.

In: the bytes of one direction of one connection, in any pieces. Out: frames, and from them the few methods and
properties that tell what becomes of a message. Written from the specification (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf,
chapters 2.3 and 4.2), on purpose not with the library that streamapp's own client uses.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

PROTOCOL = b"AMQP"
PROTOCOL_BYTES = 8
HEAD = struct.Struct(">BHI")
END = 0xCE
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
MOST_BYTES = 16 * 1024 * 1024
"""A frame that claims to be larger is not a frame: RabbitMQ's own limit is 128 KiB."""


class Unreadable(Exception):
    """These bytes are not what the specification says."""


class Method(IntEnum):
    """Class and method of what a wiretap has to know: (class << 16) + method."""

    CHANNEL_OPEN = (20 << 16) + 10
    CONFIRM_SELECT = (85 << 16) + 10
    CONSUME = (60 << 16) + 20
    PUBLISH = (60 << 16) + 40
    RETURN = (60 << 16) + 50
    DELIVER = (60 << 16) + 60
    GET = (60 << 16) + 70
    GET_OK = (60 << 16) + 71
    ACK = (60 << 16) + 80
    REJECT = (60 << 16) + 90
    RECOVER_ASYNC = (60 << 16) + 100
    RECOVER = (60 << 16) + 110
    NACK = (60 << 16) + 120


KNOWN: dict[int, frozenset[int]] = {
    10: frozenset({10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71}),
    20: frozenset({10, 11, 20, 21, 40, 41}),
    40: frozenset({10, 11, 20, 21, 30, 31, 40, 51}),
    50: frozenset({10, 11, 20, 21, 30, 31, 40, 41, 50, 51}),
    60: frozenset({10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 71, 72, 80, 90, 100, 110, 111, 120}),
    85: frozenset({10, 11}),
}
"""Class → its methods, transactions (90) left out: nobody here may use them."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `payload` is what lies between its head and its end."""

    type: int
    channel: int
    payload: bytes


class Frames:
    """Cuts one direction of a connection into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes.

        Raises:
            Unreadable: it is no AMQP; nothing after it can be told apart any more.
        """
        self._rest += data
        if not self._begun and not self._begin():
            return
        while len(self._rest) >= HEAD.size:
            kind, channel, size = HEAD.unpack_from(self._rest)
            if kind not in (METHOD, HEADER, BODY, HEARTBEAT) or size > MOST_BYTES:
                raise Unreadable(f"no frame begins with {bytes(self._rest[: HEAD.size]).hex()}")
            whole = HEAD.size + size + 1
            if len(self._rest) < whole:
                return
            if self._rest[whole - 1] != END:
                raise Unreadable(f"a frame ends with {self._rest[whole - 1]:#x}")
            payload = bytes(self._rest[HEAD.size : whole - 1])
            del self._rest[:whole]
            yield Frame(kind, channel, payload)

    def _begin(self) -> bool:
        """Pass over the protocol header, with which a client begins, and a broker that speaks another version."""
        if self._rest[:1] == PROTOCOL[:1]:
            if len(self._rest) < PROTOCOL_BYTES:
                return False
            if self._rest[: len(PROTOCOL)] != PROTOCOL:
                raise Unreadable(f"no protocol begins with {bytes(self._rest[:PROTOCOL_BYTES]).hex()}")
            del self._rest[:PROTOCOL_BYTES]
        self._begun = True
        return True


def method_of(payload: bytes) -> tuple[int, bytes]:
    """Number and arguments of a method frame.

    Raises:
        Unreadable: the specification has no such method.
    """
    if len(payload) < 4:
        raise Unreadable("a method frame without a method")
    kind, number = struct.unpack_from(">HH", payload)
    if number not in KNOWN.get(kind, frozenset()):
        raise Unreadable(f"there is no method {kind}.{number}")
    return (kind << 16) + number, payload[4:]


def delivery_tag(arguments: bytes) -> tuple[int, bool]:
    """Delivery tag and `multiple` of ack and nack (which come first in both), delivery tag alone of reject."""
    tag, bits = struct.unpack_from(">QB", _at_least(arguments, 9))
    return tag, bool(bits & 1)


def delivered(arguments: bytes, *, with_consumer: bool) -> tuple[int, bool]:
    """Delivery tag and `redelivered` of deliver, and of get-ok, which names no consumer."""
    rest = arguments[1 + _at_least(arguments, 1)[0] :] if with_consumer else arguments
    tag, redelivered = struct.unpack_from(">QB", _at_least(rest, 9))
    return tag, bool(redelivered & 1)


def asks_for_no_acks(arguments: bytes, *, consumer: bool) -> bool:
    """Whether consume, or get, says that deliveries count as acked: second bit, or first bit, behind the names."""
    at = 2
    for _ in range(2 if consumer else 1):  # queue, and consumer tag
        at += 1 + _at_least(arguments, at + 1)[at]
    return bool(_at_least(arguments, at + 1)[at] & (2 if consumer else 1))


def content(payload: bytes) -> tuple[int, str | None]:
    """Body size and message id of a content header."""
    _, _, size, flags = struct.unpack_from(">HHQH", _at_least(payload, 14))
    if flags & 1:
        raise Unreadable("a second word of property flags, though the class has one word of properties")
    return size, _message_id(flags, payload[14:])


def _message_id(flags: int, properties: bytes) -> str | None:
    """The properties in front of it: three short strings, a table and octets, each there if its bit is set."""
    if not flags & 1 << 7:
        return None
    at = 0
    for bit in (15, 14):  # content-type, content-encoding
        if flags & 1 << bit:
            at += 1 + _at_least(properties, at + 1)[at]
    if flags & 1 << 13:  # headers
        (size,) = struct.unpack_from(">I", _at_least(properties, at + 4), at)
        at += 4 + size
    at += sum(1 for bit in (12, 11) if flags & 1 << bit)  # delivery-mode, priority
    for bit in (10, 9, 8):  # correlation-id, reply-to, expiration
        if flags & 1 << bit:
            at += 1 + _at_least(properties, at + 1)[at]
    size = _at_least(properties, at + 1)[at]
    return _at_least(properties, at + 1 + size)[at + 1 : at + 1 + size].decode(errors="replace")


def _at_least(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise Unreadable(f"{size} bytes are needed, and there are {len(data)}")
    return data
