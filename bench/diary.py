"""Looks at the diary from outside, with a plain client: how many facts of a kind, when the first and the last came."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

POLL_MS = 300
KINDS = {b"TaskAccepted": "accepted", b"TaskExecutionCompleted": "completed"}


@dataclass
class Seen:
    """`count`, and the broker's time in milliseconds of the first and the last one."""

    count: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def note(self, at_ms: int) -> None:
        """One more."""
        self.first_ms = at_ms if not self.count else min(self.first_ms, at_ms)
        self.last_ms = max(self.last_ms, at_ms)
        self.count += 1


@dataclass
class Watch:
    """Reads a topic from its beginning. `accepted_at`: task id to the broker's time, if it is asked for."""

    consumer: AIOKafkaConsumer
    partitions: list[TopicPartition]
    seen: dict[str, Seen] = field(default_factory=lambda: {name: Seen() for name in KINDS.values()})
    accepted_at: dict[str, int] | None = None

    async def until_completed(self, count: int, seconds: float) -> float:
        """Wait for so many completions; tasks per second from the first acceptance to the last completion.

        Raises:
            TimeoutError: not within `seconds`; says how many there were.
        """
        end = time.monotonic() + seconds
        while self.seen["completed"].count < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.seen['completed'].count} of {count} tasks completed in {seconds:g} s")
            await asyncio.sleep(POLL_MS / 1000)
            await self.look()
        return count * 1000 / max(self.seen["completed"].last_ms - self.seen["accepted"].first_ms, 1)

    async def look(self) -> None:
        """Read what is there."""
        while fetched := await self.consumer.getmany(timeout_ms=0, max_records=20_000):
            for records in fetched.values():
                for record in records:
                    self._note(record)

    def _note(self, record: object) -> None:
        value: bytes = getattr(record, "value", None) or b""
        start = value.find(b'"type":"') + 8
        name = KINDS.get(value[start : value.find(b'"', start)])
        if name is None:
            return
        at: int = record.timestamp  # type: ignore[attr-defined]
        self.seen[name].note(at)
        if self.accepted_at is not None and name == "accepted":
            key: bytes = record.key  # type: ignore[attr-defined]
            self.accepted_at.setdefault(key.decode(), at)


@asynccontextmanager
async def watching(servers: str, topic: str, partitions: int, *, acceptances: bool = False) -> AsyncIterator[Watch]:
    """A watch on `topic` from its first record on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=20_000
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(tps)
        yield Watch(consumer, tps, accepted_at={} if acceptances else None)
    finally:
        await consumer.stop()
