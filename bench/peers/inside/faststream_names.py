"""What a run of the FastStream peer has in Kafka and RabbitMQ, and the event it carries."""

from typing import Any

from faststream.rabbit import QueueType, RabbitQueue
from pydantic import BaseModel, ConfigDict

PARTITIONS = 8
BATCH = 200
"""Records that are read, published and acknowledged together; messages that the worker holds."""


class Event(BaseModel):
    """An event of the first seed's schema, checked strictly where it enters."""

    model_config = ConfigDict(extra="forbid", strict=True)

    eventId: str  # noqa: N815 - the seed's name
    timestamp: int
    type: str
    payload: dict[str, Any]


def topic(run: str) -> str:
    """Of the events."""
    return f"{run}.consume-event"


def group(run: str) -> str:
    """Of the bridge."""
    return f"{run}.bridge"


def queue(run: str) -> RabbitQueue:
    """Of the jobs."""
    return RabbitQueue(run, queue_type=QueueType.QUORUM, durable=True)
