"""The id of a topic: a UUID that Kafka gives at creation (KIP-516), so that a topic made again is told from the first.

aiokafka asks for metadata of version 5 at most, which has no ids; version 10 has, and is described here.
"""

from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from streamapp.stream.groups import admin_of

NO_ID = UUID(int=0)


class _Id:
    """A UUID on the wire: 16 bytes."""

    def encode(self, value: UUID) -> bytes:
        return value.bytes

    def decode(self, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_TEXT, _NUMBERS = CompactString("utf-8"), CompactArray(Int32)
_BROKER = (("node", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields))
_PARTITION = (
    ("error", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", _NUMBERS),
    ("in_sync", _NUMBERS),
    ("offline", _NUMBERS),
    ("tags", TaggedFields),
)
_TOPIC = (
    ("error", Int16),
    ("topic", _TEXT),
    ("id", _Id()),
    ("internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("operations", Int32),
    ("tags", TaggedFields),
)


class _MetadataResponseV10(Response):  # type: ignore[misc]  # aiokafka publishes no types
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster", _TEXT),
        ("controller", Int32),
        ("topics", CompactArray(*_TOPIC)),
        ("operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestV10(RequestStruct):  # type: ignore[misc]  # aiokafka publishes no types
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponseV10
    SCHEMA = Schema(
        ("topics", CompactArray(("id", _Id()), ("topic", _TEXT), ("tags", TaggedFields))),
        ("create", Boolean),
        ("cluster_operations", Boolean),
        ("topic_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIds(Request[_MetadataRequestV10]):  # type: ignore[misc]  # aiokafka publishes no types
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([(NO_ID, self._topic, {})], False, False, False, {})


async def topic_id(bootstrap_servers: str, topic: str) -> UUID | None:
    """The id of a topic; None from a broker that gives none.

    Raises:
        Unavailable: Kafka does not answer, or knows no such topic.
    """
    async with admin_of(bootstrap_servers) as admin:
        try:
            response = await admin._send_request(_TopicIds(topic))
        except (IncompatibleBrokerVersion, NotImplementedError):  # what aiokafka makes of a broker before 2.8
            return None
        ((code, _, found, *_),) = response.topics
        if code:
            raise for_code(code)(topic)
        return None if found == NO_ID else found
