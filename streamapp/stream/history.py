"""Reads the diary from its first fact to where it ends now, with a plain consumer and no group.

For the operators' commands: what they say of the system is computed from the facts alone, not from any view.
"""

from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import Recorded
from streamapp.domain.task import Task, apply
from streamapp.stream.batch import Record, RecordBatch
from streamapp.telemetry import describe
from streamapp.wire import facts


async def read(bootstrap_servers: str, topic: str) -> AsyncIterator[RecordBatch]:
    """Every committed record of `topic` up to the ends captured at the beginning, partition by partition in order.

    Raises:
        Unavailable: Kafka does not answer, or the topic does not exist.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        await consumer.start()
        partitions = await _partitions(consumer, topic)
        ends = await consumer.end_offsets(partitions)
        todo = {tp for tp in partitions if ends[tp] > 0}
        if not todo:
            return
        consumer.assign(list(todo))
        await consumer.seek_to_beginning(*todo)
        while todo:
            fetched = await consumer.getmany(*todo, timeout_ms=200, max_records=5000)
            for tp, records in fetched.items():
                rows = [Record(item.offset, item.key, item.value, item.timestamp) for item in records]
                rows = [row for row in rows if row.offset < ends[tp]]
                if rows:
                    yield RecordBatch(topic, tp.partition, rows[0].offset, rows[-1].offset + 1, rows)
            todo = {tp for tp in todo if await consumer.position(tp) < ends[tp]}
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {bootstrap_servers}: {describe(error)}") from error
    finally:
        await consumer.stop()


async def fold_all(bootstrap_servers: str, topic: str) -> tuple[dict[str, Task], dict[str, int], list[str]]:
    """All tasks of the diary, the partition of each, and why records could not be read. Holds everything in memory."""
    tasks: dict[str, Task] = {}
    partitions: dict[str, int] = {}
    unreadable: list[str] = []
    async for batch in read(bootstrap_servers, topic):
        for record in batch.records:
            try:
                fact = facts.decode(record.key, record.value)
            except facts.Undecodable as error:
                unreadable.append(f"{batch.topic}[{batch.partition}]@{record.offset}: {error}")
                continue
            task = tasks.get(fact.task_id)
            if task is None:
                task = tasks[fact.task_id] = Task(fact.task_id)
                partitions[fact.task_id] = batch.partition
            apply(task, Recorded(fact, record.offset, record.at))
    return tasks, partitions, unreadable


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    known = await consumer._client.fetch_all_metadata()
    partitions = known.partitions_for_topic(topic)
    if not partitions:
        raise Unavailable(f"topic {topic} does not exist: run `streamapp setup`")
    return [TopicPartition(topic, partition) for partition in sorted(partitions)]
