"""Facts as CloudEvents 1.0 in structured JSON mode (https://github.com/cloudevents/spec, version 1.0.2).

`encode` and `decode` are inverse for every fact; `tests/contract/golden` holds one of each type that must decode for
ever. Unknown fields are ignored, so that a later version may add some; an unknown type is undecodable.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from streamapp.domain.facts import AnyFact
from streamapp.wire import json, schema
from streamapp.wire.fact_data import BUILDERS, UnknownOrigin, data_of

SPECVERSION = "1.0"
CONTENT_TYPE = "application/cloudevents+json"


class Undecodable(ValueError):
    """A record that is not a fact. The message is the reason; it never quotes the record."""


_WITH_CONTENT = (schema.Accepted, schema.Completed)
_TYPE = b'"type":"'
_TYPE_IS_WITHIN = 120
"""Bytes in which `encode` has come to the type."""

_envelope = msgspec.json.Decoder(schema.Envelope[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def encode(fact: AnyFact) -> tuple[bytes, bytes]:
    """Key (the task id) and value of the record that carries `fact`."""
    envelope = schema.Envelope(
        SPECVERSION,
        fact.id,
        fact.NAME,
        fact.source,
        fact.task_id,
        fact.time,
        "application/json",
        data_of(fact),
        fact.traceparent,
    )
    return fact.task_id.encode(), _encode(envelope)


def decode(key: bytes | None, value: bytes | None) -> AnyFact:
    """The fact in a record.

    Raises:
        Undecodable: no value, not JSON, not a CloudEvent, an unknown fact type, data that breaks the fact's schema, or
            a key that is not the task id (such a record lies in a partition where the task does not).
    """
    if value is None:
        raise Undecodable("no value")
    try:
        envelope, build = _read(value)
        data: Any = envelope.data
        if key != envelope.subject.encode():
            raise Undecodable("the key is not the subject")
        if data.task_id != envelope.subject:
            raise Undecodable("data.taskId is not the subject")
        if len(key) > schema.MAX_ID_BYTES:
            raise Undecodable(f"the task id is longer than {schema.MAX_ID_BYTES} bytes")
        if isinstance(data, schema.Accepted) and len(data.task_type.encode()) > schema.MAX_ID_BYTES:
            raise Undecodable(f"the task type is longer than {schema.MAX_ID_BYTES} bytes")
        if isinstance(data, _WITH_CONTENT) and json.too_deep(value, _content(data)):
            raise Undecodable(f"nested deeper than {json.MAX_DEPTH} levels")
        return build(envelope, data)
    except msgspec.MsgspecError as error:
        raise Undecodable(str(error)) from None
    except UnknownOrigin as error:
        raise Undecodable(str(error)) from None
    except UnicodeError:
        raise Undecodable("not UTF-8") from None
    except RecursionError:
        raise Undecodable("nested too deep to be read") from None


def _read(value: bytes) -> tuple[schema.Envelope[Any], Callable[[Any, Any], AnyFact]]:
    """The envelope with what is in it, and who makes a fact of both.

    What `encode` has written tells its type near its beginning, and is read in one go. Anything else, and whatever is
    wrong, is read in two steps.
    """
    begin = value.find(_TYPE, 0, _TYPE_IS_WITHIN) + len(_TYPE)
    expected = _WHOLE.get(value[begin : value.find(b'"', begin)])
    if expected is not None:
        name, decoder, build = expected
        try:
            whole = decoder.decode(value)
        except msgspec.MsgspecError:
            return _read_in_steps(value)
        if whole.type == name and whole.specversion == SPECVERSION:
            return whole, build
    return _read_in_steps(value)


def _read_in_steps(value: bytes) -> tuple[schema.Envelope[Any], Callable[[Any, Any], AnyFact]]:
    envelope = _envelope.decode(value)
    reader = _READERS.get(envelope.type)
    if envelope.specversion != SPECVERSION:
        raise Undecodable("not CloudEvents 1.0")
    if reader is None:
        raise Undecodable("unknown fact type")
    decoder, build = reader
    return msgspec.structs.replace(envelope, data=decoder.decode(envelope.data)), build


def _content(data: schema.Accepted | schema.Completed) -> Any:
    return data.payload if isinstance(data, schema.Accepted) else data.result


_READERS = {name: (msgspec.json.Decoder(data), build) for name, (data, build) in BUILDERS.items()}
_WHOLE = {
    name.encode(): (name, msgspec.json.Decoder(schema.Envelope[data]), build)  # type: ignore[valid-type]
    for name, (data, build) in BUILDERS.items()
}
