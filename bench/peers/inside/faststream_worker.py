"""The worker of the FastStream peer: acknowledges a job when its handler has returned, and says when all are done."""

import asyncio
import time
from typing import Any

import uvloop
from faststream.rabbit import Channel, RabbitBroker

from bench.peers.inside import talk
from bench.peers.inside.faststream_names import BATCH, Event, queue
from bench.peers.inside.tasks import began


class Count:
    """How many jobs were run of those that are awaited."""

    def __init__(self) -> None:
        self._awaited = 0
        self._latencies: list[float] = []

    def expect(self, tasks: int) -> None:
        """Begin to count."""
        self._awaited, self._latencies = tasks, []
        talk.say("counting")

    def add(self, latency: float) -> None:
        """One more."""
        self._latencies.append(latency)
        if len(self._latencies) == self._awaited:
            talk.say("done", last_at=time.monotonic(), latencies=self._latencies)


async def main() -> None:
    """Work, and count when told to."""
    settings: dict[str, Any] = talk.settings()
    count = Count()
    held = Channel(prefetch_count=max(BATCH, settings["concurrency"]))
    rabbit = RabbitBroker(settings["rabbitmq_url"], logger=None, default_channel=held)

    @rabbit.subscriber(queue(settings["run"]))
    async def noop(event: Event) -> None:
        count.add(began(event.payload["since"]))

    await rabbit.start()
    talk.say("ready")
    while command := await asyncio.to_thread(talk.command):
        count.expect(command["tasks"])
    await rabbit.stop()


if __name__ == "__main__":
    uvloop.run(main())
