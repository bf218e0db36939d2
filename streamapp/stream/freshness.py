"""Whether a table is up to date: asks Kafka for the ends of the partitions held, and compares.

While Kafka is away the views answer from the last known state and say so (`system.md`, When parts fail).
"""

import asyncio

from aiokafka.errors import KafkaError

from streamapp.clock import Clock
from streamapp.stream.horizon import Probe
from streamapp.stream.resident import Resident
from streamapp.stream.table import BatchTable
from streamapp.telemetry import describe, get_log

log = get_log(__name__)


class Freshness(Resident):
    """Watches one table. `stale_after_seconds` without an answer from Kafka, its views are marked stale.

    `warning` is logged when that begins; None if nobody need be told.
    """

    def __init__(
        self,
        probe: Probe,
        topic: str,
        table: BatchTable,
        clock: Clock,
        *,
        interval_seconds: float = 0.5,
        stale_after_seconds: float = 2.0,
        warning: str | None = "Kafka does not answer; views are marked stale until it does",
    ) -> None:
        self._probe = probe
        self._topic = topic
        self._table = table
        self._clock = clock
        self._interval = interval_seconds
        self._stale_after = stale_after_seconds
        self._warning = warning
        self._answered_at: float | None = None
        self._asked_ms: int | None = None
        self._ends: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def stale(self) -> bool:
        """Whether Kafka has not answered lately: what is shown may be overtaken."""
        return self._answered_at is None or self._clock.monotonic() - self._answered_at > self._stale_after

    @property
    def as_of_ms(self) -> int | None:
        """When Kafka answered last, in milliseconds since the epoch; None if never."""
        return self._asked_ms

    def lag(self) -> dict[int, int]:
        """Facts not yet folded, by partition held, as of the last answer."""
        return {
            partition: max(end - applied, 0)
            for partition, end in self._ends.items()
            if (applied := self._table.applied(partition)) is not None
        }

    async def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._probe.close()

    async def _watch(self) -> None:
        while True:
            try:
                # With nothing held any partition will do: the question is whether Kafka answers.
                held = self._table.held() or (0,)
                asked = self._clock.now_ms()
                self._ends = await self._probe.ends(self._topic, held)
                self._asked_ms, self._answered_at = asked, self._clock.monotonic()
            except (KafkaError, OSError) as error:
                if self._warning is not None and not self.stale:
                    log.warning(self._warning, error=describe(error))
            await self._clock.sleep(self._interval)
