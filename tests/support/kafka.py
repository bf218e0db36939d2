"""Kafka as a stranger sees it: plain clients that append anything, read everything, and move or delete what they must.

Nothing of streamapp's own doors is used here, so that a fault in one of them cannot hide itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streamapp.domain.facts import AnyFact
from streamapp.stream.batch import Record
from streamapp.wire import facts as wire
from tests.support.waiting import until

PRODUCER_BYTES = 2 * 1024 * 1024
FAREWELL_SECONDS = 5.0


class Kafka:
    """A plain client of one broker."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self.renewals = 0
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()

    async def start(self) -> None:
        self._producer = await self._started()

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def renew(self, renewals: int) -> None:
        """Take a new producer, if none was taken since there had been `renewals`.

        An idempotent producer does not always recover from a long outage: what it has given up leaves a gap in its
        sequence, and it fails for ever.
        """
        async with self._renewing:
            if self.renewals == renewals:
                old, self._producer = self._producer, await self._started()
                self.renewals += 1
                assert old is not None
                with contextlib.suppress(TimeoutError, KafkaError):  # what it could not deliver was never acknowledged
                    await asyncio.wait_for(old.stop(), FAREWELL_SECONDS)

    async def _started(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.servers, acks="all", enable_idempotence=True, max_request_size=PRODUCER_BYTES
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def append(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]], partition: int | None = None
    ) -> list[Any]:
        """Append (key, value) in order; the metadata of each. Without `partition` murmur2 places it."""
        assert self._producer is not None
        sent = [await self._producer.send(topic, value=value, key=key, partition=partition) for key, value in records]
        return list(await asyncio.gather(*sent))

    async def tell(self, topic: str, facts: Iterable[AnyFact]) -> list[Any]:
        """Append facts."""
        return await self.append(topic, [wire.encode(fact) for fact in facts])

    async def ends(self, topic: str) -> dict[int, int]:
        """End offset of every partition; empty if there is no such topic."""
        async with self._reader() as reader:
            tps = await _partitions(reader, topic)
            return {tp.partition: end for tp, end in (await reader.end_offsets(tps)).items()} if tps else {}

    async def read(self, topic: str, isolation: str = "read_committed") -> dict[int, list[Record]]:
        """Every record there is, by partition, in order."""
        async with self._reader(isolation) as reader:
            tps = await _partitions(reader, topic)
            ends = await reader.end_offsets(tps)
            found: dict[int, list[Record]] = {tp.partition: [] for tp in tps}
            todo = [tp for tp in tps if ends[tp] > 0]
            reader.assign(todo)
            if todo:
                await reader.seek_to_beginning(*todo)
            while todo:
                for tp, records in (await reader.getmany(*todo, timeout_ms=200, max_records=10_000)).items():
                    rows = [Record(item.offset, item.key, item.value, item.timestamp) for item in records]
                    found[tp.partition].extend(row for row in rows if row.offset < ends[tp])
                todo = [tp for tp in todo if await reader.position(tp) < ends[tp]]
            return found

    async def create(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        """Create a topic."""
        async with self.admin() as admin:
            await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(config))])

    async def delete(self, topics: Sequence[str], seconds: float = 20.0) -> None:
        """Delete topics and wait until they are gone."""

        async def gone() -> bool:
            async with self.admin() as admin:
                return not set(topics) & set(await admin.list_topics())

        async with self.admin() as admin:
            await admin.delete_topics(list(topics))
        await until(gone, seconds, f"the topics {topics} are gone")

    async def topics(self, prefix: str) -> list[str]:
        """Names of the topics that begin with `prefix`."""
        async with self.admin() as admin:
            return sorted(name for name in await admin.list_topics() if name.startswith(prefix))

    async def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """What a consumer group has committed."""
        async with self.admin() as admin:
            return await committed_by(admin, group)

    async def move_group(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Set the committed offsets of a group without members, as `kafka-consumer-groups --reset-offsets` does."""
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(list(wanted))
            await consumer.commit(wanted)
        finally:
            await consumer.stop()

    async def members(self, group: str) -> int:
        """How many members a group has."""
        async with self.admin() as admin:
            responses = await admin.describe_consumer_groups([group])
            return sum(len(found[5]) for response in responses for found in response.groups)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    @asynccontextmanager
    async def _reader(self, isolation: str = "read_committed") -> AsyncIterator[AIOKafkaConsumer]:
        reader = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.servers, isolation_level=isolation, enable_auto_commit=False, fetch_max_wait_ms=50
        )
        await reader.start()
        try:
            yield reader
        finally:
            await reader.stop()


async def _partitions(reader: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    known = (await reader._client.fetch_all_metadata()).partitions_for_topic(topic) or ()
    return [TopicPartition(topic, partition) for partition in sorted(known)]


async def committed_by(admin: AIOKafkaAdminClient, group: str) -> dict[tuple[str, int], int]:
    """What a consumer group has committed, asked over a client that is open."""
    committed = await admin.list_consumer_group_offsets(group)
    return {(tp.topic, tp.partition): item.offset for tp, item in committed.items()}
