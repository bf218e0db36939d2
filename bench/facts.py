"""Writes the facts of tasks into a diary, as streamapp's roles write them: they have completed, or wait for a retry."""

import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from aiokafka import AIOKafkaProducer

from streamapp.clock import rfc3339
from streamapp.domain.dispatch import ScheduleRetry
from streamapp.domain.facts import AnyFact, Origin, Token
from streamapp.domain.outcome import Completed, Failed
from streamapp.domain.policy import Policy
from streamapp.stream.partitions import partition_of
from streamapp.wire import facts as wire
from streamapp.wire.scribe import Scribe

FACTS_A_TASK = 4
"""Of one that has completed."""
ROUND = 4_000
"""Tasks whose facts lie mixed, as they do where many are under way."""
BATCH_BYTES = 500_000
NOTE = "x" * 150
WORKER = "w1-1-abcdef01"
POLICY = Policy(max_attempts=3, delay_seconds=1, timeout_seconds=60)
RETRY_AFTER_MS = 86_400_000

Life: TypeAlias = Callable[[str, Scribe, Scribe, Scribe], tuple[AnyFact, ...]]
"""A task's facts in their order, by its id and the scribes of api, dispatch and worker."""


def completed(task_id: str, api: Scribe, dispatch: Scribe, worker: Scribe) -> tuple[AnyFact, ...]:
    """Accepted, dispatched, started, completed."""
    return (
        *_started(task_id, api, dispatch, worker),
        worker.ended(task_id, 1, WORKER, Token(1, 1), Completed(None), 1),
    )


def waiting(task_id: str, api: Scribe, dispatch: Scribe, worker: Scribe) -> tuple[AnyFact, ...]:
    """Accepted, dispatched, started, failed, to be tried again in a day."""
    retry = ScheduleRetry(2, _now_ms() + RETRY_AFTER_MS, "Refused", 1)
    return (
        *_started(task_id, api, dispatch, worker),
        worker.ended(task_id, 1, WORKER, Token(1, 1), Failed("Refused", "not now", retryable=True), 1),
        dispatch.retry_scheduled(task_id, retry, POLICY),
    )


def _started(task_id: str, api: Scribe, dispatch: Scribe, worker: Scribe) -> tuple[AnyFact, ...]:
    return (
        api.accepted(task_id, "BENCH_NOOP", {"note": NOTE}, POLICY, Origin("http")),
        dispatch.dispatched(task_id, 1, "task-execution"),
        worker.started(task_id, 1, WORKER, Token(1, 1), redelivered=False),
    )


def rounds(tasks: int, life: Life = completed) -> Iterator[list[AnyFact]]:
    """The facts of all tasks, a round at a time: all acceptances of a round, then all dispatches, and so on."""
    scribes = [Scribe(role, "bench", _now) for role in ("api", "dispatch", "worker")]
    for first in range(0, tasks, ROUND):
        lives = [life(f"t{number}", *scribes) for number in range(first, min(first + ROUND, tasks))]
        yield [fact for step in zip(*lives, strict=True) for fact in step]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _now() -> str:
    return rfc3339(_now_ms())


async def write(servers: str, topic: str, partitions: int, tasks: int, life: Life = completed) -> int:
    """Append them; how many facts there are."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks=1, max_batch_size=BATCH_BYTES, max_request_size=2**21)
    await producer.start()
    count = 0
    try:
        for facts in rounds(tasks, life):
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
