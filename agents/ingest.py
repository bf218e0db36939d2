"""Ingest: events of other producers become facts.

In: record batches of `consume-event`. Out: TaskAccepted or TaskRejected in the diary, durable before the position
moves. Runs nothing and never touches RabbitMQ. The same event twice makes the same fact twice, which is one fact.
"""

from streamapp import failpoints
from streamapp.domain.errors import StreamappError
from streamapp.domain.facts import AnyFact, Origin
from streamapp.failpoints import Gap
from streamapp.metrics import Metrics
from streamapp.metrics.ingest import IngestMetrics
from streamapp.producer import FactLog
from streamapp.stream.batch import Record, RecordBatch
from streamapp.stream.engine import StreamApp
from streamapp.stream.freshness import Freshness
from streamapp.stream.resident import Resident
from streamapp.stream.topics import TopicPlan
from streamapp.tasktypes import Registry
from streamapp.telemetry import get_log
from streamapp.wire.scribe import Scribe
from streamapp.wire.submissions import Invalid, read_event
from tables.sources import Counts, Sources

NAME = "ingest"

log = get_log(__name__)


class Ingest(Resident):
    """Takes events into the diary."""

    def __init__(
        self, sources: Sources, facts: FactLog, scribe: Scribe, registry: Registry, *, allow_unknown_fields: bool
    ) -> None:
        self._sources = sources
        self._facts = facts
        self._scribe = scribe
        self._registry = registry
        self._allow_unknown_fields = allow_unknown_fields

    def counts(self) -> dict[int, Counts]:
        """What became of the events of each partition held."""
        return {partition: self._sources.get(partition) for partition in self._sources.table.held()}

    async def fold(self, batch: RecordBatch) -> None:
        """Append the facts of a batch and remember the position. Raises nothing that trying again would not mend."""
        counts = self._sources.get(batch.partition)
        applied = max(self._sources.table.applied(batch.partition) or 0, counts.next)
        fresh = [record for record in batch.records if record.offset >= applied]
        read = [(record, self._read(batch, record)) for record in fresh]
        failpoints.reached(Gap.BEFORE_EVENTS_FACTS)
        await self._facts.append_durably([fact for _, fact in read if fact is not None])
        failpoints.reached(Gap.AFTER_EVENTS_FACTS)
        for record, fact in read:
            self._note(counts, batch, record, fact)
        self._sources.put(batch.partition, counts, batch.end)

    def _read(self, batch: RecordBatch, record: Record) -> AnyFact | None:
        origin = Origin("event", batch.topic, batch.partition, record.offset)
        place = {"topic": batch.topic, "partition": batch.partition, "offset": record.offset}
        try:
            event = read_event(record.value, allow_unknown_fields=self._allow_unknown_fields)
            payload = self._registry.check(event.eventId, event.type, event.payload)
            policy = self._registry.policy_of(event.type)
            return self._scribe.accepted(event.eventId, event.type, payload, policy, origin)
        except Invalid as error:
            errors = [{"pointer": item.pointer, "message": item.message} for item in error.errors]
            log.warning("✗ Kafka event invalid, not enqueued", task=error.task_id, errors=errors, **place)
            if error.task_id is None:
                return None
            submitted = record.value or b""
            return self._scribe.rejected(error.task_id, "invalid event", error.errors, origin, submitted)
        except StreamappError as error:
            log.error("✗ Kafka event refused", error=str(error), **place)
            return None

    def _note(self, counts: Counts, batch: RecordBatch, record: Record, fact: AnyFact | None) -> None:
        if fact is None:
            counts.discarded += 1
        elif fact.NAME == "TaskRejected":
            counts.rejected += 1
        else:
            counts.accepted += 1
            place = f"(topic: {batch.topic}, partition: {batch.partition}, offset: {record.offset})"
            log.info(f"✓ Kafka event enqueued: {fact.task_id} {place}", task=fact.task_id)

    async def assigned(self, partitions: dict[str, set[int]]) -> None:
        """Say that events are being consumed."""
        log.info("✓ Kafka consumer connected", partitions={topic: sorted(held) for topic, held in partitions.items()})


def register(app: StreamApp, plan: TopicPlan, ingest: Ingest) -> None:
    """Register the agent with a StreamApp."""
    app.residents.append(ingest)
    app.fold(NAME, plan, [ingest._sources.table], ingest.fold, complete=False)


def measure(ingest: Ingest, metrics: Metrics, behind: Freshness) -> None:
    """Tell of its events at every scrape, and of how far it is `behind`."""
    IngestMetrics(metrics, ingest.counts, behind.lag)
