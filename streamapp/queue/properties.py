"""Properties of messages, read so that no message can end the connection it comes on.

pamqp reads properties while it reads a frame, and what it raises there ends the connection: a time in microseconds is
enough, or a text that is not UTF-8. The message goes back to its queue and ends the next connection too, so that one
foreign message would stop every worker. In: the bytes of a content header. Out: a header that is read in any case;
properties that cannot be read are left out, all of them, and the body decides. Replaces a method of pamqp.
"""

import struct
from typing import Any

from pamqp.commands import Basic
from pamqp.header import ContentHeader

from streamapp.telemetry import get_log

log = get_log(__name__)

_HEAD = struct.Struct(">HHQ")
"""Class, weight and size of the body, before the flags of the properties (AMQP 0-9-1, 4.2.6.1)."""

_read: Any = ContentHeader.unmarshal


def _read_in_any_case(header: ContentHeader, data: bytes) -> None:
    try:
        _read(header, data)
    except Exception as error:  # it raises what the conversions of Python raise, RecursionError included
        header.class_id, header.weight, header.body_size = _HEAD.unpack_from(data)
        header.properties = Basic.Properties()
        log.warning("a message with properties that cannot be read, taken without them", reason=type(error).__name__)


def be_tolerant() -> None:
    """From now on, in this process, properties are read so. Again changes nothing."""
    ContentHeader.unmarshal = _read_in_any_case  # type: ignore[method-assign, assignment]
