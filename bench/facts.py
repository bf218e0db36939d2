"""Writes the facts of tasks that went their whole way into a diary: four a task, as streamapp's roles write them."""

import time
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer

from streamapp.clock import rfc3339
from streamapp.domain.facts import AnyFact, Origin, Token
from streamapp.domain.outcome import Completed
from streamapp.domain.policy import Policy
from streamapp.stream.partitions import partition_of
from streamapp.wire import facts as wire
from streamapp.wire.scribe import Scribe

FACTS_A_TASK = 4
ROUND = 4_000
"""Tasks whose facts lie mixed, as they do where many are under way."""
BATCH_BYTES = 500_000
NOTE = "x" * 150
WORKER = "w1-1-abcdef01"


def of_task(task_id: str, api: Scribe, dispatch: Scribe, worker: Scribe) -> tuple[AnyFact, ...]:
    """Accepted, dispatched, started, completed."""
    policy = Policy(max_attempts=3, delay_seconds=1, timeout_seconds=60)
    return (
        api.accepted(task_id, "BENCH_NOOP", {"note": NOTE}, policy, Origin("http")),
        dispatch.dispatched(task_id, 1, "task-execution"),
        worker.started(task_id, 1, WORKER, Token(1, 1), redelivered=False),
        worker.ended(task_id, 1, WORKER, Token(1, 1), Completed(None), 1),
    )


def rounds(tasks: int) -> Iterator[list[AnyFact]]:
    """The facts of all tasks, a round at a time: all acceptances of a round, then all dispatches, and so on."""
    scribes = [Scribe(role, "bench", _now) for role in ("api", "dispatch", "worker")]
    for first in range(0, tasks, ROUND):
        lives = [of_task(f"t{number}", *scribes) for number in range(first, min(first + ROUND, tasks))]
        yield [life[step] for step in range(FACTS_A_TASK) for life in lives]


def _now() -> str:
    return rfc3339(time.time_ns() // 1_000_000)


async def write(servers: str, topic: str, partitions: int, tasks: int) -> int:
    """Append them; how many facts there are."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks=1, max_batch_size=BATCH_BYTES, max_request_size=2**21)
    await producer.start()
    count = 0
    try:
        for facts in rounds(tasks):
            batches = {partition: producer.create_batch() for partition in range(partitions)}
            for key, value in map(wire.encode, facts):
                partition = partition_of(key, partitions)
                if batches[partition].append(key=key, value=value, timestamp=None) is None:
                    await producer.send_batch(batches[partition], topic, partition=partition)
                    batches[partition] = producer.create_batch()
                    batches[partition].append(key=key, value=value, timestamp=None)
                count += 1
            for partition, batch in batches.items():
                if batch.record_count():
                    await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
        return count
    finally:
        await producer.stop()
