"""Job messages: what a worker needs to run one attempt. Nothing historical, nothing authoritative (second seed, 3)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streamapp.domain.identity import message_id
from streamapp.wire import json
from streamapp.wire.facts import Undecodable
from streamapp.wire.schema import MAX_ID_BYTES


class Job(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True):
    """One attempt of one task. `timeout_seconds` comes from the policy resolved at acceptance.

    `first_attempt` is the one that the last requeue has opened: what came of earlier ones says nothing about this one.
    """

    task_id: Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)]
    type: Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]
    parameters: Any
    timeout_seconds: Annotated[float, Meta(gt=0, le=1e9)]
    traceparent: str | None = None
    first_attempt: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    @property
    def message_id(self) -> str:
        """AMQP message id: `taskId:attempt`."""
        return message_id(self.task_id, self.attempt)


_decoder = msgspec.json.Decoder(Job)
_encode = msgspec.json.Encoder().encode


def encode(job: Job) -> bytes:
    """The body of the message."""
    return _encode(job)


def decode(body: bytes) -> Job:
    """The job in a message.

    Raises:
        Undecodable: not a job; the message says why.
    """
    try:
        job = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise Undecodable(str(error)) from None
    except UnicodeError:
        raise Undecodable("not UTF-8") from None
    except RecursionError:
        raise Undecodable("nested too deep to be read") from None
    if max(len(job.task_id.encode()), len(job.type.encode())) > MAX_ID_BYTES:
        raise Undecodable(f"a task id or type longer than {MAX_ID_BYTES} bytes")
    if json.too_deep(body, job.parameters):
        raise Undecodable(f"nested deeper than {json.MAX_DEPTH} levels")
    return job
