"""RabbitMQ's disk alarm under load: it takes no job and still lets go of those it has; then everything drains."""

import asyncio
import json

import pytest

from streamapp.domain.facts import TaskDispatched
from tests.faults.arena import Arena
from tests.faults.judge import judge
from tests.support.waiting import until

LIMIT, NO_DISK_HAS_IT = "200MB", "10000GB"
JOBS = 40
STILL_SECONDS = 5.0


async def jobs(ring: Arena) -> int:
    """Jobs in the work queue, those in workers' hands included. RabbitMQ was not restarted: its counters are right."""
    counters = ("list_queues", "name", "messages", "--formatter", "json")
    answer = await asyncio.to_thread(ring.brokers.stack.rabbitmq.control, *counters)
    messages = {item["name"]: int(item["messages"]) for item in json.loads(answer)}
    return messages[ring.made.names.queue("task-execution")]


def dispatched(ring: Arena) -> int:
    return len(ring.witness.facts_of(TaskDispatched))


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_disk_of_rabbitmq_is_almost_full(ring: Arena) -> None:
    rabbitmq, workers = ring.brokers.stack.rabbitmq, ring.members.of("worker")
    for member in workers:
        await ring.members.hold(member)
    await until(lambda: enough(ring), 60, "jobs wait in the queue", every=0.2)
    async with ring.fault("disk alarm of rabbitmq", "rabbitmq"):
        await asyncio.to_thread(rabbitmq.control, "set_disk_free_limit", NO_DISK_HAS_IT)
        try:
            for member in workers:
                ring.members.let(member)
            await until(lambda: drained(ring), 60, "every job in the queue is executed and acked", every=0.2)
            before, accepted = dispatched(ring), ring.witness.accepted
            await asyncio.sleep(STILL_SECONDS)
            assert dispatched(ring) == before
            assert ring.witness.accepted > accepted
        finally:
            await asyncio.to_thread(rabbitmq.control, "set_disk_free_limit", LIMIT)
    assert ring.members.deaths.total() == 0
    assert (await judge(ring)).findings == []


async def enough(ring: Arena) -> bool:
    return await jobs(ring) >= JOBS


async def drained(ring: Arena) -> bool:
    return await jobs(ring) == 0
