"""Looks at the diary from outside: waits by its own count of what is completed, and reads the facts when all is over.

Nobody reads along while tasks run: a client that read every fact would take its share of the two cores.
"""

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

POLL_SECONDS = 0.3
KINDS = {b"TaskAccepted": "accepted", b"TaskExecutionCompleted": "completed"}


@dataclass
class Seen:
    """The broker's time in milliseconds at which each task was accepted and completed first."""

    accepted: dict[str, int] = field(default_factory=dict)
    completed: dict[str, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Completed tasks, by the time from the first acceptance to the last completion."""
        milliseconds = max(self.completed.values()) - min(self.accepted.values())
        return len(self.completed) * 1000 / max(milliseconds, 1)


async def until_completed(url: str, count: int, seconds: float) -> None:
    """Wait until the diary at `url` counts so many completed tasks.

    Raises:
        TimeoutError: not within `seconds`; says how many there were.
    """
    end = time.monotonic() + seconds
    async with aiohttp.ClientSession() as session:
        while (found := await _completed(session, url)) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{found} of {count} tasks completed in {seconds:g} s")
            await asyncio.sleep(POLL_SECONDS)


async def _completed(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/v1/totals") as answer:
        return int((await answer.json()).get("states", {}).get("COMPLETED", 0)) if answer.status == 200 else 0


async def read(servers: str, topic: str, partitions: int, prefix: str) -> Seen:
    """What the diary says of the tasks whose ids begin with `prefix`."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=20_000
    )
    seen = Seen()
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        while rest := [tp for tp in tps if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(*rest, timeout_ms=1000)).values():
                for record in records:
                    _note(seen, record.key.decode(), record.value, record.timestamp, prefix)
    finally:
        await consumer.stop()
    return seen


def _note(seen: Seen, task_id: str, value: bytes, at: int, prefix: str) -> None:
    start = value.find(b'"type":"') + 8
    name = KINDS.get(value[start : value.find(b'"', start)])
    if name is not None and task_id.startswith(prefix):
        getattr(seen, name).setdefault(task_id, at)
