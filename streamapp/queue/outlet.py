"""Publishes on one confirming channel by the window: what is published in one turn of the loop is written at once.

In: jobs as bytes. Out: a future of the broker's answer for each. aiormq's own `basic_publish` takes a lock, two timers
and a turn of its writer for every message, and builds the same frame again and again; frames, tags and answers are kept
here as it keeps them, in private parts of exactly the pinned aiormq.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Any

from aiormq import spec
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from pamqp import frame as amqp
from pamqp.header import ContentHeader

TURN_BYTES = 1024 * 1024
"""Written at once at most, so that other frames, heartbeats above all, get their turn."""


class Outlet:
    """Everything that is published on `channel` goes through here: the broker numbers messages as they come."""

    def __init__(self, channel: Channel, exchange: str) -> None:
        self._channel = channel
        self._exchange = exchange
        self._methods: dict[str, bytes] = {}
        self._payloads: deque[tuple[bytes, asyncio.Future[Any] | None]] = deque()
        self._writer: Any = None  # aiormq's wrapper of a task, which ends with the channel

    def publish(self, queue: str, body: bytes, properties: spec.Basic.Properties) -> asyncio.Future[Any]:
        """Hand a message to the writer. The future fails if it comes back unroutable, or the channel is closed."""
        self._add(queue, body, properties, None)
        return self._awaited(properties.message_id or "")

    async def publish_large(self, queue: str, body: bytes, properties: spec.Basic.Properties) -> asyncio.Future[Any]:
        """The same; returns when the socket has taken it."""
        drained = self._channel.create_future()
        self._add(queue, body, properties, drained)
        answer = self._awaited(properties.message_id or "")
        await drained
        return answer

    def _add(
        self, queue: str, body: bytes, properties: spec.Basic.Properties, drained: asyncio.Future[Any] | None
    ) -> None:
        method = self._methods.get(queue)
        number = self._channel.number
        if method is None:
            publish = spec.Basic.Publish(exchange=self._exchange, routing_key=queue, mandatory=True)
            method = self._methods[queue] = amqp.marshal(publish, number)
        header = amqp.marshal(ContentHeader(properties=properties, body_size=len(body)), number)
        parts = [amqp.marshal(part, number) for part in self._channel._split_body(body)]
        self._payloads.append((b"".join((method, header, *parts)), drained))
        if self._writer is None or self._writer.done():
            self._writer = self._channel.create_task(self._write())

    def _awaited(self, message_id: str) -> asyncio.Future[Any]:
        channel = self._channel
        channel.delivery_tag += 1
        answer = channel.create_future()
        channel.confirmations[channel.delivery_tag] = answer
        channel.message_id_delivery_tag[message_id] = channel.delivery_tag
        answer.add_done_callback(partial(self._forget, message_id))
        return answer

    def _forget(self, message_id: str, _: asyncio.Future[Any]) -> None:
        self._channel.message_id_delivery_tag.pop(message_id, None)

    async def _write(self) -> None:
        while self._payloads:
            await self._channel.write_queue.put(self._turn())

    def _turn(self) -> ChannelFrame:
        payloads, size = [], 0
        while self._payloads and size < TURN_BYTES:
            payload, drained = self._payloads.popleft()
            payloads.append(payload)
            size += len(payload)
            if drained is not None:
                return ChannelFrame(b"".join(payloads), should_close=False, drain_future=drained)
        return ChannelFrame(b"".join(payloads), should_close=False)
