"""The producer of the Taskiq peer: a window of tasks whose confirms are out, on one channel."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from typing import Any

import uvloop
from redis import Redis

from bench.peers.inside import results, talk
from bench.peers.inside.taskiq_app import make_broker, names, prefix
from bench.peers.inside.tasks import NAME, PAYLOAD, schedule, since

WINDOW = 100


class Producer:
    """Publishes tasks and waits for their results."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._run: str = settings["run"]
        self._broker = make_broker(settings)
        self._redis = Redis.from_url(settings["redis_url"])

    async def start(self) -> None:
        """Connect."""
        await self._broker.startup()

    async def publish(self, tasks: int) -> None:
        """Publish as fast as it goes."""
        ids = [uuid.uuid4().hex for _ in range(tasks)]
        left = iter(ids)
        first_at = time.monotonic()
        await asyncio.gather(*[self._publish(left) for _ in range(WINDOW)])
        talk.say("published", first_at=first_at, last_at=time.monotonic())
        self._finish(ids)

    async def pace(self, per_second: int, seconds: int) -> None:
        """Publish at a fixed rate, each task by itself, whatever has become of the others."""
        ids: list[str] = []
        late: list[float] = []
        running = []
        for due in schedule(per_second, seconds):
            await asyncio.sleep(max(due - time.monotonic(), 0))
            now = time.monotonic()
            late.append(now - due)
            ids.append(uuid.uuid4().hex)
            running.append(asyncio.create_task(self._enqueue(ids[-1], since(due, now))))
        await asyncio.gather(*running)
        talk.say("published", first_at=0.0, last_at=time.monotonic(), late=late)
        self._finish(ids)

    async def forget(self) -> None:
        """Delete queues, exchange and results of this run."""
        channel = self._broker.write_channel
        for queue in names(self._run):
            await channel.queue_delete(queue)
        await channel.exchange_delete(self._run)
        await self._broker.shutdown()
        results.forget(self._redis, prefix(self._run))
        talk.say("forgotten")

    async def _publish(self, left: Iterator[str]) -> None:
        for each in left:
            await self._enqueue(each, time.monotonic())

    async def _enqueue(self, task_id: str, since_when: float) -> None:
        task = self._broker.find_task(NAME)
        await task.kicker().with_task_id(task_id).kiq(PAYLOAD, since_when)

    def _finish(self, ids: list[str]) -> None:
        keys = [f"{prefix(self._run)}:{each}" for each in ids]
        last_at = results.wait(self._redis, keys)
        found = results.read(self._redis, keys)
        failed = [each for each in found if each["is_err"]]
        if failed:
            raise RuntimeError(f"{len(failed)} tasks failed, for example {failed[0]}")
        talk.say("done", last_at=last_at, latencies=[each["return_value"] for each in found])


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
