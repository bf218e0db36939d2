"""The horizon: where replay ends and life begins, for each partition and each assignment.

After every rebalance, before the first fact is folded, a partition's end offset is captured. Below it everything
happened before this process took the partition over, and its gate stays shut: the fold may remember, nothing may act.
The horizon is captured by a client of its own, because Faust's calls wait behind its long poll, and it does not move
when the partition grows.
"""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.telemetry import describe, get_log

log = get_log(__name__)

CONFIRMATIONS = 4
CONFIRMATION_SECONDS = 0.5


class Probe:
    """Asks Kafka for the ends of partitions, about a millisecond a question."""

    def __init__(self, bootstrap_servers: str, *, request_timeout_seconds: float = 5.0) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._timeout = request_timeout_seconds
        self._client: AIOKafkaConsumer | None = None

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """End offsets: the offset that the next record will get.

        Raises:
            KafkaError or OSError: Kafka did not answer.
        """
        wanted = [TopicPartition(topic, partition) for partition in partitions]
        if not wanted:
            return {}
        if self._client is None:
            client = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap_servers, request_timeout_ms=int(self._timeout * 1000)
            )
            try:
                await client.start()
            except BaseException:
                await client.stop()
                raise
            self._client = client
        try:
            async with asyncio.timeout(self._timeout):  # wait_for of Python 3.11 may swallow a cancellation
                ends = await self._client.end_offsets(wanted)
        except TimeoutError as error:
            raise KafkaError(f"no answer within {self._timeout:g} s") from error
        return {tp.partition: offset for tp, offset in ends.items()}

    async def ends_patiently(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """`ends`, tried again for as long as Kafka cannot be reached."""
        wanted = list(partitions)
        while True:
            try:
                return await self.ends(topic, wanted)
            except (KafkaError, OSError) as error:
                log.warning("the horizon cannot be captured yet", topic=topic, error=describe(error))
                await asyncio.sleep(0.5)

    async def ends_beyond(self, topic: str, known: Mapping[int, int]) -> dict[int, int]:
        """`ends_patiently` of the partitions in `known`, asked again for a moment while one is below what is known.

        Race: a broker that has just become a partition's leader may tell an end that lies back (KIP-207).
        """
        ends = await self.ends_patiently(topic, known)
        for _ in range(CONFIRMATIONS):
            if all(ends[partition] >= end for partition, end in known.items()):
                break
            await asyncio.sleep(CONFIRMATION_SECONDS)
            ends = await self.ends_patiently(topic, known)
        return ends

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.stop()
            self._client = None


class Gates:
    """One gate a partition: shut below the horizon, open for good (until the next rebalance) above it."""

    def __init__(self) -> None:
        self._horizon: dict[int, int] = {}
        self._reached: dict[int, int] = {}

    def shut(self) -> None:
        """Shut all: partitions were taken away or are about to be."""
        self._horizon = {}
        self._reached = {}

    def capture(self, horizon: Mapping[int, int], reached: Mapping[int, int]) -> None:
        """Set the horizons of a new assignment, and how far each partition is folded already."""
        self._horizon = dict(horizon)
        self._reached = dict(reached)

    def advance(self, partition: int, reached: int) -> bool:
        """Note that a partition is folded up to `reached`; whether this opened its gate."""
        was_open = self.is_open(partition)
        self._reached[partition] = max(reached, self._reached.get(partition, 0))
        return not was_open and self.is_open(partition)

    def is_open(self, partition: int) -> bool:
        """Whether the fold has passed the partition's horizon."""
        horizon = self._horizon.get(partition)
        return horizon is not None and self._reached.get(partition, 0) >= horizon

    def remaining(self) -> dict[int, int]:
        """How far each partition is from its horizon; 0 where its gate is open."""
        return {partition: max(end - self._reached.get(partition, 0), 0) for partition, end in self._horizon.items()}

    def waiting(self) -> dict[int, tuple[int, int]]:
        """The partitions whose gate is shut: how far they are folded, and their horizon."""
        return {
            partition: (self._reached.get(partition, 0), horizon)
            for partition, horizon in self._horizon.items()
            if not self.is_open(partition)
        }
