"""Faust's table recovery, with the patience it lacks, and with a road of its own for the rows.

In: an assignment. Out: restored tables: `restore` reads the changelogs by the batch, and Faust, which would go record
by record, finds nothing left to do. Faust bounds its questions to Kafka by the request timeout, and takes a timeout for
the end of the service: it would stop recovering for good, and the process would stay up, consuming nothing. An error
ends the process. Here both are waited out: Kafka was away, and comes back. Overrides private methods of
faust-streaming 0.15.3, see `transport`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

from streamapp.telemetry import describe, get_log

log = get_log(__name__)

PAUSE_SECONDS = 0.5
T = TypeVar("T")


async def patiently(ask: Callable[[], Awaitable[T]], what: str) -> T:
    """Ask Kafka for as long as it cannot be reached.

    Raises:
        IllegalStateError: the assignment has changed meanwhile: what was asked is asked no more.
    """
    while True:
        try:
            return await ask()
        except IllegalStateError:
            raise
        except (KafkaError, OSError) as error:
            log.warning("Kafka does not answer, asking again", what=what, error=describe(error))
            await asyncio.sleep(PAUSE_SECONDS)


class PatientRecovery(Recovery):
    """Waits for Kafka; only another rebalance or the end of the service interrupts it."""

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        await super()._wait(coro)

    async def _build_highwaters(self, *args: Any) -> None:
        build = super()._build_highwaters
        await patiently(lambda: build(*args), "where the changelogs end")

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        if title == "active":
            ends = {tp: self.active_highwaters[tp] + 1 for tp in tps}
            app: Any = self.app
            await patiently(lambda: app.restore_tables(ends), "what the changelogs hold")
            for tp, end in ends.items():  # `update` of a Counter would add
                destination[tp] = end - 1
        build = super()._build_offsets
        await patiently(lambda: build(consumer, tps, destination, title), "where the changelogs begin")


class Tables(TableManager):
    """The table manager of a StreamApp."""

    @property
    def recovery(self) -> Recovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
