"""A simulated Kafka: the diary and the changelogs, partitions with offsets, the broker's own timestamps.

Everything survives in it. What its clients meet: it is away for a while; a record is appended and the answer is lost,
so that it is appended again; markers take offsets that nobody ever reads.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, TypeAlias

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from tests.model.life import Life, outside

TOPIC = "task-lifecycle"
PARTITIONS = 2
ROWS_PER_RECORD_BATCH = 2
EPOCH_MS = 1_700_000_000_000
LATE_SECONDS = 4.0
Fate: TypeAlias = Literal["ok", "lost", "unknown", "late"]
"""What becomes of one append: written and answered; never written; written, never answered; written later, likewise."""
Headers: TypeAlias = list[tuple[str, bytes]]


class Record(NamedTuple):
    """A record as it lies in a partition. `at` is the broker's time in milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    at: int
    headers: Headers


class Kafka:
    """`up` while it answers; `fates` are what the next appends meet, ok when there are none.

    `watchers` see every record of the diary; `readers` are woken when it has grown, and when Kafka is back.
    """

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self.skew_ms = 0
        self.fates: deque[Fate] = deque()
        self.topics: dict[str, list[list[Record | None]]] = {}
        self.watchers: list[Callable[[int, Record], None]] = []
        self.readers: dict[asyncio.Event, None] = {}

    def come_up(self) -> None:
        """Answer again."""
        self.up.set()
        self._wake_readers()

    def _wake_readers(self) -> None:
        for bell in self.readers:
            bell.set()

    def topic(self, name: str) -> list[list[Record | None]]:
        """The partitions of a topic. None stands for a transaction marker."""
        found = self.topics.get(name)
        if found is None:
            found = self.topics[name] = [[] for _ in range(PARTITIONS)]
        return found

    def end(self, topic: str, partition: int) -> int:
        """The offset that the next record gets."""
        return len(self.topic(topic)[partition])

    def now_ms(self) -> int:
        """The broker's time."""
        return EPOCH_MS + round(asyncio.get_running_loop().time() * 1000) + self.skew_ms

    def append(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> Record:
        """Append, as the broker does it."""
        rows = self.topic(topic)[partition]
        record = Record(len(rows), key, value, self.now_ms(), headers or [])
        rows.append(record)
        if topic == TOPIC:
            for watcher in self.watchers:
                watcher(partition, record)
            self._wake_readers()
        return record

    def append_marker(self, partition: int) -> None:
        """A transaction marker takes an offset of the diary."""
        self.topic(TOPIC)[partition].append(None)
        self._wake_readers()

    def read(self, topic: str, partition: int, offset: int, limit: int) -> tuple[list[Record], int]:
        """Up to `limit` records from `offset` on, and where to read next."""
        rows = self.topic(topic)[partition]
        found: list[Record] = []
        while offset < len(rows) and len(found) < limit:
            row = rows[offset]
            offset += 1
            if row is not None:
                found.append(row)
        return found, offset

    def fate(self) -> Fate:
        """What the next append meets."""
        return self.fates.popleft() if self.fates else "ok"


class Producer:
    """What `BatchTable` needs of Faust's producer: record batches, appended whole or not at all."""

    def __init__(self, kafka: Kafka, life: Life) -> None:
        self._kafka = kafka
        self._life = life

    def create_batch(self) -> "RecordBatchBuilder":
        """An empty record batch."""
        return RecordBatchBuilder()

    async def send_batch(self, batch: "RecordBatchBuilder", topic: str, *, partition: int) -> "asyncio.Future[Any]":
        """Append a batch; the future has its offset."""
        await self._life.step()
        if not self._kafka.up.is_set():
            await asyncio.sleep(1)
            raise KafkaConnectionError
        fate = self._kafka.fate()
        first = self._kafka.end(topic, partition)
        if fate == "late":
            outside(LATE_SECONDS, batch.append_all, self._kafka, topic, partition)
        elif fate != "lost":
            batch.append_all(self._kafka, topic, partition)
        await self._life.step()
        if fate != "ok":
            raise KafkaTimeoutError
        done = asyncio.get_running_loop().create_future()
        done.set_result(SimpleNamespace(offset=first))
        return done


class RecordBatchBuilder:
    """A few rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, bytes | None, Headers]] = []

    def append(self, *, timestamp: int | None, key: bytes, value: bytes | None, headers: Headers) -> object | None:
        """None when it is full."""
        if len(self.rows) == ROWS_PER_RECORD_BATCH:
            return None
        self.rows.append((key, value, headers))
        return self

    def append_all(self, kafka: Kafka, topic: str, partition: int) -> None:
        """What the broker does when the batch arrives."""
        for key, value, headers in self.rows:
            kafka.append(topic, partition, key, value, headers)

    def record_count(self) -> int:
        """Rows in it."""
        return len(self.rows)
