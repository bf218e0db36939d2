"""Whether the offsets that a batch skips are really empty.

In: a partition, and the offset that should have come next. Out: the offset of the first record that anybody can read
from there on. Transaction markers and aborted records take offsets that no consumer gets; everything else that is
missing from the diary is a fault, and may not be passed over. Asks by a client of its own, only when there is a hole.
"""

from aiokafka import AIOKafkaConsumer, TopicPartition

FETCH_WAIT_MS = 100


class Holes:
    """Looks into holes. Connects when there is the first one."""

    def __init__(self, bootstrap_servers: str, *, request_timeout_seconds: float = 5.0) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._timeout_ms = int(request_timeout_seconds * 1000)
        self._client: AIOKafkaConsumer | None = None

    async def first_record(self, topic: str, partition: int, offset: int) -> int | None:
        """Offset of the first committed record at or after `offset`; None if none was found in time.

        Raises:
            KafkaError or OSError: Kafka did not answer.
        """
        tp = TopicPartition(topic, partition)
        if self._client is None:
            client = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap_servers,
                isolation_level="read_committed",
                enable_auto_commit=False,
                fetch_max_wait_ms=FETCH_WAIT_MS,
                request_timeout_ms=self._timeout_ms,
            )
            try:
                await client.start()
            except BaseException:
                await client.stop()
                raise
            self._client = client
        self._client.assign([tp])
        self._client.seek(tp, offset)
        fetched = await self._client.getmany(tp, timeout_ms=self._timeout_ms, max_records=1)
        return fetched[tp][0].offset if fetched.get(tp) else None

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.stop()
            self._client = None
