"""The Faust app of every role: the life cycle of its tables and agents. `creating` sets it up."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import faust
from aiohttp import web
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.types import TP
from faust.web.base import BlueprintManager

from streamapp.domain.errors import ConfigurationError
from streamapp.metrics.stream import StreamMetrics
from streamapp.pace import Turns
from streamapp.settings import Role, Settings
from streamapp.stream import topics
from streamapp.stream.batch import RecordBatch
from streamapp.stream.folding import Folds, counted, fold_all
from streamapp.stream.holes import Holes
from streamapp.stream.horizon import Probe
from streamapp.stream.positions import Positions
from streamapp.stream.resident import Resident
from streamapp.stream.restore import Gone, restore
from streamapp.stream.table import BatchTable
from streamapp.stream.transport import Transport
from streamapp.stream.write_behind import WriteBehind
from streamapp.telemetry import get_log

log = get_log(__name__)

IDLE_CHECK_SECONDS = 1.0
FETCHES = partial(Turns, longest=0.02, freely=500, fully=5_000)
"""How far fetches are apart, by records a second."""

SHORTEST_SECONDS: Mapping[Role, float] = {"diary": 0.02}
"""The least of it; nobody waits for the diary but people."""

STORE_PACE_SECONDS: Mapping[Role, float] = {"ingest": 0.1}
"""Passes to the tables are about so far apart. What ingest has not stored is told to the diary again after a crash."""
LEAVE_SECONDS = 8.0
"""How long Faust may take to say goodbye to Kafka."""


class StreamApp(faust.App):
    """A Faust app whose agents consume record batches into batch tables."""

    positions: Positions

    def __init__(self, *args: Any, settings: Settings, **kwargs: Any) -> None:
        self.settings = settings
        self.probe = Probe(settings.bootstrap_servers)
        self.holes = Holes(settings.bootstrap_servers)
        self.positions = Positions()
        self.fetches = FETCHES(shortest=SHORTEST_SECONDS.get(settings.role, 0.005))
        self.store_pace_seconds = STORE_PACE_SECONDS.get(settings.role, 0.25)
        self.folds = Folds()
        self.write_behinds: list[WriteBehind] = []
        self._taking_over: asyncio.Task[None] | None = None
        self._taken_away = False
        self.batch_tables: list[BatchTable] = []
        self.residents: list[Resident] = []
        self.plans: list[topics.TopicPlan] = []
        self.routes: list[Callable[[web.UrlDispatcher], None]] = []
        self.settled = False
        self.measured = StreamMetrics()
        super().__init__(*args, **kwargs)
        self.on_rebalance_complete.connect(self._rebalance_complete)
        self.on_partitions_revoked.connect(self._partitions_revoked)
        self.on_partitions_assigned.connect(self._partitions_assigned)

    def _new_transport(self) -> Any:
        return Transport(self.conf.broker_consumer, self)

    def batch_table(self, name: str, partitions: int, form: int = 1) -> BatchTable:
        """Declare a table; its changelog topic is created before the app starts."""
        table = BatchTable(self, name, partitions, form)
        self.batch_tables.append(table)
        self.plans.append(topics.changelog(table.changelog, partitions, self.settings.kafka.replication_factor))
        return table

    @property
    def servers(self) -> str:
        """Kafka's addresses."""
        return self.settings.bootstrap_servers

    async def restore_tables(self, ends: Mapping[TP, int]) -> None:
        """Bring the local files of an assignment up to their changelogs, which end at `ends`.

        Raises:
            KafkaError or OSError: Kafka does not answer.
            IllegalStateError: another rebalance has taken a partition away.
        """
        tables = {table.changelog: table for table in self.batch_tables}
        try:
            await restore(
                self.servers,
                {
                    TopicPartition(tp.topic, tp.partition): tables[tp.topic].to_restore(tp.partition, end)
                    for tp, end in ends.items()
                },
            )
        except Gone as error:
            raise IllegalStateError("a partition was taken away while it was restored") from error

    def fold(
        self,
        name: str,
        topic: topics.TopicPlan,
        tables: list[BatchTable],
        handle: Callable[[RecordBatch], Awaitable[None]],
        *,
        complete: bool,
    ) -> None:
        """Register an agent that hands every batch of `topic` to `handle`, which folds it into `tables`.

        `tables`: in the order in which they have to become durable. `complete`: the topic is a record of everything,
        and a missing part of it stops its partition.
        """
        if topic not in self.plans:
            self.plans.append(topic)
        self.positions.feed(topic.name, *tables, complete=complete)
        channel = self.topic(topic.name, key_type=bytes, value_type=bytes, partitions=topic.partitions)

        fold = counted(handle, self.measured.agent(name))
        behind = WriteBehind(name, tables, self.store_pace_seconds)
        self.write_behinds.append(behind)

        async def agent(stream: Any) -> None:
            async for event in stream.events():
                await self.folds.run(fold_all(name, event.value, fold, tables, behind.folded))
                consumer: Any = self.consumer
                consumer.folded(event.value)

        self.agent(channel, name=name)(agent)

    def when_idle(
        self,
        topic: str,
        behind: Callable[[], dict[int, tuple[int, int]]],
        caught_up: Callable[[int, int], Awaitable[None]],
    ) -> None:
        """Tell `caught_up` about partitions of `topic` that have nothing left to read, though they seem `behind`.

        The end of a partition may be transaction markers, which no fold ever sees.
        """

        async def watch() -> None:
            seen: dict[int, int] = {}
            while not self.should_stop:
                await self.sleep(IDLE_CHECK_SECONDS)
                idle: dict[int, int] = {}
                for partition, (reached, horizon) in behind().items():
                    position = None if self.rebalancing else await self._idle_position(TP(topic, partition))
                    if position is not None and position >= horizon:
                        idle[partition] = reached
                        if seen.get(partition) == reached:  # twice in a row: nothing was on its way in between
                            await caught_up(partition, position)
                seen = idle

        self.task(watch)

    async def _idle_position(self, tp: TP) -> int | None:
        consumer: Any = self.consumer
        position: int | None = await consumer.idle_position(tp)
        return position

    async def on_first_start(self) -> None:
        """Create and check the topics, then start what lives with the app.

        Raises:
            SystemExit: refused, and the reason logged: an exception of ours would come with pages of Faust's traceback.
        """
        try:
            await topics.ensure_patiently(self.settings.bootstrap_servers, self.plans)
            await super().on_first_start()
            for resident in self.residents:
                await resident.start()
        except ConfigurationError as error:
            log.error(str(error))
            raise SystemExit(1) from None

    async def on_stop(self) -> None:
        """Act on nothing more, let the folds end, then stop what lives with the app, last started first."""
        await self._shut()
        self._end_without_kafka()
        await super().on_stop()  # the folds need doors and tables until here
        for resident in reversed(self.residents):
            await resident.stop()
        await self.probe.close()
        await self.holes.close()

    def _end_without_kafka(self) -> None:
        """End the process if Faust cannot: it commits and flushes before it ends, for ever if Kafka is away.

        By now nothing is left to be lost: commits are a report, and tables are stored, or are folded on from where they
        were stored last.
        """
        end = threading.Timer(LEAVE_SECONDS, os._exit, [int(self.crashed)])
        end.daemon = True
        end.start()

    def _new_web(self) -> Any:
        """Faust's web server without any page of Faust's: it would answer `/`, tables and statistics."""
        server = super()._new_web()
        server.blueprints = BlueprintManager()
        return server

    def on_webserver_init(self, server: Any) -> None:
        """Add the routes of the role to Faust's web server."""
        super().on_webserver_init(server)
        for add_routes in self.routes:
            add_routes(server.web_app.router)

    async def _partitions_revoked(self, *_: Any, **__: Any) -> None:
        self._taken_away = True
        await self._shut()
        for table in self.batch_tables:
            table.release()

    async def _partitions_assigned(self, *_: Any, **__: Any) -> None:
        self._taken_away = False

    async def _shut(self) -> None:
        """Act on nothing and fold nothing any more; store what is folded."""
        self.settled = False
        if self._taking_over is not None:
            # Race: the next rebalance comes while the last one is still being settled; its gates may not open now.
            self._taking_over.cancel()
            await asyncio.wait({self._taking_over})
        # At the same time, because each may take some seconds while Kafka is away.
        await asyncio.gather(*(resident.revoked() for resident in self.residents), self.folds.close())
        await asyncio.gather(*(behind.close() for behind in self.write_behinds))

    async def _rebalance_complete(self, *_: Any, **__: Any) -> None:
        if self._taken_away:
            # Race: Faust goes on restoring what was taken away, until it has been assigned something else.
            log.info("what was restored was taken away meanwhile: waiting for the next assignment")
            return
        taking_over = self._taking_over = asyncio.create_task(self._take_over())
        try:
            await asyncio.wait({taking_over})
        finally:
            taking_over.cancel()
        if not taking_over.cancelled():
            taking_over.result()

    async def _take_over(self) -> None:
        # Faust resumes the source partitions before it seeks (issue 596 of faust-streaming): with the flow stopped
        # nothing slips through from a position that is not ours. Recovery resumes the flow after the seek.
        self.consumer.stop_flow()
        self.flow_control.suspend()
        actives: set[TP] = self.assignor.assigned_actives()
        try:
            for table in self.batch_tables:
                table.hold({tp.partition for tp in actives if tp.topic == table.changelog})
        except ConfigurationError as error:
            log.error(str(error))
            os._exit(1)  # at once: Faust would say it again with a traceback, and nothing is folded yet
        for resident in self.residents:
            await resident.restored()
        consumer: Any = self.consumer
        held: dict[str, set[int]] = {topic: set() for topic in self.positions.topics}
        for tp in await consumer.find_starts():
            held[tp.topic].add(tp.partition)
        for resident in self.residents:
            await resident.assigned(held)
        self.folds.open()
        self.settled = True
        log.info("partitions assigned", **{topic: sorted(partitions) for topic, partitions in held.items()})
