"""Faust's Kafka transport, changed in four ways: batches, resumption, isolation, patience.

In: what aiokafka fetched. Out: one event per fetch for a batch topic (Faust's own road makes four asyncio tasks per
record; `docs/decisions/0001-record-batches.md` has the figures), and record by record for everything else, that is
changelogs during recovery.

Where a batch topic is read from, and what is committed for it, both come from the tables (`Positions`), never from the
consumer group: a commit is only a report for whoever watches the lag. Overrides private methods of faust-streaming
0.15.3, so another version is refused.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streamapp import failpoints
from streamapp.domain.errors import ConfigurationError
from streamapp.failpoints import Gap
from streamapp.pace import Turns
from streamapp.stream.batch import Fetch, Record, RecordBatch
from streamapp.stream.clients import ConsumerThread, Producer
from streamapp.stream.folding import Folds
from streamapp.stream.holes import Holes
from streamapp.stream.horizon import Probe
from streamapp.stream.positions import Positions
from streamapp.stream.recovery import patiently
from streamapp.telemetry import describe, get_log

log = get_log(__name__)

FAUST_VERSION = "0.15.3"
LOG_APPEND_TIME = 1
FETCHES_AHEAD = 2
"""Fetches that may wait while one is being folded."""
POLL_SECONDS = 0.3

if faust.__version__ != FAUST_VERSION:
    raise ConfigurationError(f"faust-streaming {FAUST_VERSION} is needed, {faust.__version__} is installed")


class Consumer(driver.Consumer):
    """The consumer of record batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app: Any = self.app
        self._positions: Positions = app.positions
        self._folds: Folds = app.folds
        self._probe: Probe = app.probe
        self._holes: Holes = app.holes
        self._fetches: Turns = app.fetches
        self._starts: dict[TP, int] = {}
        self._between_fetches = asyncio.Event()
        self._between_fetches.set()
        self._expected: dict[TP, int] = {}
        self._in_flight: list[Fetch] = []
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def find_starts(self) -> dict[TP, int]:
        """Where to read each assigned partition on: where the tables have got to. Without those that stand still.

        `perform_seek` goes there, whatever the group's committed offset says.
        """
        assigned = {TP(tp.topic, tp.partition) for tp in self.assignment()}
        ours = [tp for tp in assigned if self._positions.covers(tp.topic)]
        earliest = await patiently(lambda: self.earliest_offsets(*ours), "where the topics begin") if ours else {}
        ends: dict[TP, int] = {}
        for topic in {tp.topic for tp in ours}:
            known = {tp.partition: self._positions.furthest(*tp) for tp in ours if tp.topic == topic}
            found = await self._probe.ends_beyond(topic, known)
            ends |= {TP(topic, partition): end for partition, end in found.items()}
        starts = {tp: self._positions.resume_from(tp.topic, tp.partition, earliest[tp], ends[tp]) for tp in ours}
        self._starts = {tp: start for tp, start in starts.items() if start is not None}
        return self._starts

    async def perform_seek(self) -> None:
        """Go to the starts that were found for this assignment.

        Race: a fetch that was under way when the flow was stopped may get its records after the seek. They would be
        dropped, and the next ones taken: a hole. So it is waited for; no other begins while the flow is stopped.
        """
        starts = self._starts
        await self._between_fetches.wait()
        self._in_flight = []
        if starts:
            await self.seek_wait(starts)
        self._expected = dict(starts)
        self._read_offset.update(starts)
        self._committed_offset.update(dict.fromkeys(starts))

    async def wait_empty(self) -> None:
        """Before partitions go: wait for the batches that are being folded, within a bound, and for no other.

        Faust empties the agents' queues first and then waits for every message that is alive and not acknowledged. A
        batch that lay in one agent's queue and was folded by another one stays alive in that agent's hands: for ever.
        """
        await self._folds.close()
        for message in list(self._unacked_messages):
            if self._positions.covers(message.topic):
                self._unacked_messages.discard(message)
        await super().wait_empty()

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter(list(self._expected))

    def _new_offset(self, tp: TP) -> int | None:
        # Faust's stream iterator notes acked offsets one by one, also of batches; nobody asks for them.
        self._acked.pop(tp, None)
        self._acked_index.pop(tp, None)
        return self._positions.applied(tp.topic, tp.partition)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return bool(self._committed_offset[tp] != offset)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        failpoints.reached(Gap.BEFORE_COMMIT)
        return bool(await super()._commit(offsets))

    async def idle_position(self, tp: TP) -> int | None:
        """Where the fetch of a batch topic has got to, or None while batches of it are on their way to the agents."""
        if self._is_on_its_way(tp) or tp not in self._expected:
            return None
        position = await self.position(tp)
        return None if self._is_on_its_way(tp) else position

    def _is_on_its_way(self, tp: TP) -> bool:
        return any(fetch.has(*tp) for fetch in self._on_their_way())

    def folded(self, fetch: Fetch) -> None:
        """An agent is done with a fetch."""
        fetch.folded()
        self._room.set()

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await asyncio.sleep(0)
                if not self.flow_active:
                    resumed: Any = self.can_resume_flow
                    await self.wait(resumed)
                    continue
                self._between_fetches.clear()
                try:
                    await self._fetch_once()
                finally:
                    self._between_fetches.set()
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _fetch_once(self) -> None:
        await self._wait_for_room()
        records, _ = await self._wait_next_records(POLL_SECONDS)
        # What was fetched is dropped when a rebalance stopped the flow meanwhile: the seek that follows comes later.
        self._fetches.came(sum(map(len, records.values())) if records else 0)
        if records and self.flow_active and not self.should_stop:
            await self._deliver_all(records)

    async def _wait_for_room(self) -> None:
        while len(self._on_their_way()) > FETCHES_AHEAD and not self.should_stop and self.flow_active:
            self._room.clear()
            await self.wait_first(self._room.wait(), self.suspend_flow.wait())

    def _on_their_way(self) -> list[Fetch]:
        """Fetches that not every agent is done with."""
        self._in_flight = [fetch for fetch in self._in_flight if not fetch.done]
        return self._in_flight

    async def _deliver_all(self, fetched: Mapping[Any, list[Any]]) -> None:
        generation = self.app.consumer_generation_id
        batches: dict[str, list[RecordBatch]] = {}
        for key, records in fetched.items():
            tp = TP(key.topic, key.partition)
            if not self._positions.covers(tp.topic):
                await self._deliver_one_by_one(tp, records)
            elif (batch := await self._batch_of(tp, records)) is not None:
                batches.setdefault(tp.topic, []).append(batch)
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # what was cut here is dropped: the seek that follows goes back before it
        for of_topic in batches.values():
            await self._deliver(of_topic)

    async def _batch_of(self, tp: TP, records: list[Record]) -> RecordBatch | None:
        """What was fetched of a partition, as one batch that follows the one before; None if it does not."""
        start = self._expected.get(tp)
        if start is None:
            return None  # fetched before the seek: the position was not ours
        if records and records[0].offset < start:
            records = [record for record in records if record.offset >= start]
        if not records:
            return None
        if records[0].offset > start and not await self._is_empty(tp, start, records[0].offset):
            return None
        end = records[-1].offset + 1
        self._expected[tp] = self._read_offset[tp] = end
        return RecordBatch(tp.topic, tp.partition, start, end, records)

    async def _deliver(self, batches: list[RecordBatch]) -> None:
        """Hand batches of one topic to its agents, as one message that Faust knows by the first of them."""
        first = batches[0]
        last = first.records[-1]
        fetch: Any = Fetch(batches, self._positions.readers(first.topic))
        message = ConsumerMessage(
            first.topic,
            first.partition,
            last.offset,
            last.at / 1000,
            LOG_APPEND_TIME,
            [],
            b"",
            fetch,
            None,
            0,
            0,
            TP(first.topic, first.partition),
            generation_id=self.app.consumer_generation_id,
        )
        self._in_flight.append(fetch)
        await self.wait_first(self.callback(message), self.suspend_flow.wait())

    async def _is_empty(self, tp: TP, start: int, found: int) -> bool:
        """Whether nothing lies between; if something does, or nobody says so, go back and fetch it again."""
        if not self._positions.complete(tp.topic):
            return True  # its producers may delete what they like
        try:
            first = await self._holes.first_record(tp.topic, tp.partition, start)
        except (KafkaError, OSError) as error:
            log.warning("Kafka does not say whether records were skipped", tp=str(tp), error=describe(error))
            first = None
        if self._expected.get(tp) != start or not self.flow_active:
            return False  # a rebalance meanwhile
        if first is not None and first >= found:
            return True
        log.error("records were skipped, reading them again", topic=tp.topic, partition=tp.partition, offset=start)
        await self.seek_wait({tp: start})
        return False

    async def _deliver_one_by_one(self, tp: TP, records: list[Any]) -> None:
        for record in records:
            message = self._to_message(tp, record)
            read = self._read_offset[tp]
            if read is None or message.offset >= read:
                await self.wait_first(self.callback(message), self.suspend_flow.wait())
                self._read_offset[tp] = message.offset


class Transport(driver.Transport):
    """The transport of the app (`StreamApp._new_transport`)."""

    Consumer = Consumer
    Producer = Producer
