"""A foreign AMQP client: publishes anything straight to a queue, and takes everything out of one.

In: bodies and encoded properties. Out: what lies in a queue. Nothing of streamapp's exchange is used, so that no copy
goes to the shadow queue.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import aiormq

from tests.faults.poison.strange_properties import properties
from tests.support.rabbitmq import beneath

AT_ONCE = 10


async def publish(url: str, queue: str, messages: Sequence[tuple[bytes, Mapping[str, bytes]]]) -> None:
    """Publish (body, encoded properties), and wait until RabbitMQ has confirmed each."""
    async with beneath(url) as opened:
        channel = await opened.get_underlay_channel()
        waiting = iter(messages)

        async def some() -> None:
            for body, encoded in waiting:
                given = properties(encoded)
                answer = await channel.basic_publish(body, routing_key=queue, properties=given, mandatory=True)
                assert isinstance(answer, aiormq.spec.Basic.Ack), answer

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some())


async def taken_out(url: str, queue: str) -> Counter[str]:
    """Digests of the bodies in a queue, which is empty afterwards."""
    found: Counter[str] = Counter()
    async with beneath(url) as opened:
        channel = await opened.get_underlay_channel()
        while True:
            message = await channel.basic_get(queue, no_ack=True)
            if isinstance(message.delivery, aiormq.spec.Basic.GetEmpty):
                return found
            found[digest(message.body)] += 1


def digest(body: bytes) -> str:
    """What tells one body from another."""
    return hashlib.sha256(body).hexdigest()
