"""AMQP properties as no client library would write them: their bytes are given, and RabbitMQ passes them on.

In: names of properties and their encoded values. Out: properties that aiormq publishes.
"""

import struct
from collections.abc import Mapping
from typing import Any

from aiormq import spec

MICROSECONDS = 1_700_000_000_000_000


class StrangeProperties(spec.Basic.Properties):
    """Properties by name, each already encoded."""

    def __init__(self, **encoded: bytes) -> None:
        super().__init__(message_id="looked at by aiormq, not sent")
        self._encoded = encoded

    def marshal(self) -> bytes:
        """Flags and values, in the order of the flags."""
        names = [name for name in spec.Basic.Properties.flags if name in self._encoded]
        flags = sum(spec.Basic.Properties.flags[name] for name in names)
        return struct.pack(">H", flags) + b"".join(self._encoded[name] for name in names)


def moment(number: int) -> bytes:
    """A timestamp: AMQP counts seconds; producers have been seen to count milliseconds and microseconds."""
    return struct.pack(">Q", number)


def short_text(value: bytes) -> bytes:
    """A text of up to 255 bytes, which should be UTF-8."""
    return bytes([len(value)]) + value


def table(members: bytes) -> bytes:
    """A table of headers."""
    return struct.pack(">I", len(members)) + members


def nested(depth: int) -> bytes:
    """Headers that are a table in a table in a table."""
    found = table(b"")
    for _ in range(depth):
        found = table(short_text(b"h") + b"F" + found)
    return found


UNREADABLE: Mapping[str, dict[str, bytes]] = {
    "a time in microseconds": {"timestamp": moment(MICROSECONDS)},
    "the last moment of all": {"timestamp": moment(2**64 - 1)},
    "a message id that is not UTF-8": {"message_id": short_text(b"\xff\xfe\x80")},
    "a header name that is not UTF-8": {"headers": table(short_text(b"\xc0\xaf") + b"V")},
    "a header in the year 50,000": {"headers": table(short_text(b"at") + b"T" + moment(MICROSECONDS))},
    "headers 5,000 tables deep": {"headers": nested(5_000)},
}
"""What pamqp, which reads them for us, raises on."""

ODD: Mapping[str, dict[str, bytes]] = {
    "a time before the epoch of everything": {"timestamp": moment(0)},
    "a trace that is a number": {"headers": table(short_text(b"traceparent") + b"l" + struct.pack(">q", -1))},
    "a trace that is not UTF-8": {
        "headers": table(short_text(b"traceparent") + b"S" + struct.pack(">I", 2) + b"\xff\xff")
    },
    "not persistent": {"delivery_mode": b"\x01"},
    "compressed, it says": {"content_encoding": short_text(b"gzip")},
    "pickled, it says": {"content_type": short_text(b"application/x-python-serialize")},
    "of the highest priority": {"priority": b"\xff"},
}
"""What can be read, and should make no difference."""


def properties(encoded: Mapping[str, Any]) -> StrangeProperties:
    """Properties to publish with."""
    return StrangeProperties(**encoded)
