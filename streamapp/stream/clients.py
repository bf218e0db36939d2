"""Faust's clients of Kafka, which wait for it when they start: an error there would end the process.

In: the settings of the app. Out: a consumer that reads committed records only and asks at a pace, a producer of
changelogs. Overrides private methods of faust-streaming 0.15.3, see `transport`.
"""

import asyncio
import os
import time
from typing import Any

from faust.transport.drivers import aiokafka as driver

from streamapp.stream.batch import record_of
from streamapp.stream.fetching import FETCH_WAIT_MS, make_records, pace_fetches
from streamapp.stream.recovery import patiently
from streamapp.telemetry import describe, get_log

log = get_log(__name__)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads committed records only: what an aborted transaction left in the diary was never said."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        """Connect, for as long as it takes: an error here would end the process."""
        await patiently(self._connect, "the consumer's first connection")

    async def _connect(self) -> None:
        self._consumer = self._create_consumer(loop=self.thread_loop)
        self.time_started = time.monotonic()
        await started(self._consumer)
        app: Any = self.app
        pace_fetches(self._consumer._fetcher, app.fetches)
        make_records(self._consumer._fetcher, record_of, app.positions.covers)
        for task in (self._consumer._fetcher._fetch_task, self._consumer._client._sync_task):
            task.add_done_callback(end_if_it_failed)


class Producer(driver.Producer):
    """Faust's producer of changelogs, which waits for Kafka when it starts."""

    async def on_start(self) -> None:
        """Connect, for as long as it takes."""
        await patiently(self._connect, "the producer's first connection")

    async def _connect(self) -> None:
        producer = self._producer = self._new_producer()
        await started(producer)
        self.beacon.add(producer)


async def started(client: Any) -> None:
    """Start a client of aiokafka; one that cannot be started leaves nothing open."""
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise


def end_if_it_failed(task: asyncio.Task[None]) -> None:
    """End the process if a task of aiokafka's that must run for ever has ended by an error: nobody starts it again.

    The process would stay up, keep its partitions, and fold nothing any more. Nothing is lost by its end: whoever
    starts it again goes on from what is stored.
    """
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("reading from Kafka has ended by a fault of its client, this process ends", error=describe(error))
        os._exit(1)
