"""Produces events into `consume-event`, as any other producer would: for `streamapp produce` and the demo."""

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streamapp.domain.errors import Unavailable
from streamapp.telemetry import describe

WINDOW = 500


class EventProducer:
    """A plain producer of raw records; nothing is checked here, that is ingest's work."""

    def __init__(self, bootstrap_servers: str, topic: str, *, max_record_bytes: int) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            max_request_size=max_record_bytes,
        )

    async def __aenter__(self) -> "EventProducer":
        try:
            await self._producer.start()
        except (KafkaError, OSError) as error:
            await self._producer.stop()
            raise Unavailable(f"Kafka at {self._bootstrap_servers}: {describe(error)}") from error
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def produce(
        self, records: Iterable[tuple[bytes | None, bytes]], progress: Callable[[int], None] = lambda _: None
    ) -> int:
        """Send records (key, value) in order, in windows; `progress` hears of each acknowledged window.

        Raises:
            Unavailable: Kafka did not acknowledge a record; those before it are there.
        """
        count = 0
        window: list[asyncio.Future[object]] = []
        try:
            for key, value in records:
                window.append(await self._producer.send(self._topic, value=value, key=key))
                if len(window) == WINDOW:
                    count += await self._settle(window, progress)
                    window = []
            return count + await self._settle(window, progress)
        except (KafkaError, OSError) as error:
            raise Unavailable(f"after {count} events: {describe(error)}") from error

    async def _settle(self, window: list[asyncio.Future[object]], progress: Callable[[int], None]) -> int:
        await asyncio.gather(*window)
        progress(len(window))
        return len(window)
