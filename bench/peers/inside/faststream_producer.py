"""The producer of the FastStream peer: events into Kafka, acks=all, in windows."""

import asyncio
import json
import time
from typing import Any

import aio_pika
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from bench.peers.inside import talk
from bench.peers.inside.faststream_names import topic
from bench.peers.inside.tasks import PAYLOAD, schedule, since

WINDOW = 500


class Producer:
    """Produces events."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._topic = topic(settings["run"])
        self._kafka = AIOKafkaProducer(bootstrap_servers=settings["kafka"], acks="all", max_batch_size=256 * 1024)
        self._produced = 0

    async def start(self) -> None:
        """Connect."""
        await self._kafka.start()

    async def publish(self, tasks: int) -> None:
        """Produce as fast as it goes."""
        first_at = time.monotonic()
        for start in range(0, tasks, WINDOW):
            count = min(WINDOW, tasks - start)
            sent = [await self._send(time.monotonic()) for _ in range(count)]
            await asyncio.gather(*sent)
        talk.say("published", first_at=first_at, last_at=time.monotonic())

    async def pace(self, per_second: int, seconds: int) -> None:
        """Produce at a fixed rate."""
        late: list[float] = []
        sent = []
        for due in schedule(per_second, seconds):
            await asyncio.sleep(max(due - time.monotonic(), 0))
            now = time.monotonic()
            late.append(now - due)
            sent.append(await self._send(since(due, now)))
        await asyncio.gather(*sent)
        talk.say("published", first_at=0.0, last_at=time.monotonic(), late=late)

    async def forget(self) -> None:
        """Delete topic and queue of this run. The group has no members left and goes with its topic's offsets."""
        await self._kafka.stop()
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings["kafka"])
        await admin.start()
        try:
            await admin.delete_topics([self._topic])
        finally:
            await admin.close()
        async with await aio_pika.connect(self._settings["rabbitmq_url"]) as connection:
            channel = await connection.channel()
            await channel.queue_delete(self._settings["run"])
        talk.say("forgotten")

    async def _send(self, since_when: float) -> "asyncio.Future[Any]":
        """Put one event into the next batch; what is returned is done when Kafka has it."""
        self._produced += 1
        event_id = f"evt-{self._produced}"
        payload = {**PAYLOAD, "since": since_when}
        event = {"eventId": event_id, "timestamp": int(time.time() * 1000), "type": "USER_CREATED", "payload": payload}
        sent: asyncio.Future[Any] = await self._kafka.send(
            self._topic, json.dumps(event).encode(), key=event_id.encode()
        )
        return sent


async def main() -> None:
    """Do what is told."""
    producer = Producer(talk.settings())
    await producer.start()
    talk.say("ready")
    while command := await asyncio.to_thread(talk.command):
        match command:
            case {"do": "publish", "tasks": int(tasks)}:
                await producer.publish(tasks)
            case {"do": "pace", "per_second": int(per_second), "seconds": int(seconds)}:
                await producer.pace(per_second, seconds)
            case {"do": "forget"}:
                await producer.forget()
            case _:
                raise ValueError(f"no such command: {command}")


if __name__ == "__main__":
    uvloop.run(main())
