"""RabbitMQ loses the jobs or takes none: dispatch finds out from the facts, and hands out anew."""

import asyncio
import shutil

import aio_pika
import pytest

from streamapp.domain.facts import TaskRetryScheduled
from tests.faults.arena import Arena
from tests.faults.judge import judge

LOST_AFTER_SECONDS = 4.0
IMPATIENT = {"DISPATCH__LOST_AFTER_SECONDS": str(LOST_AFTER_SECONDS)}
ALARM_SECONDS = 8.0


async def waiting_jobs(ring: Arena) -> None:
    """Stop the workers for as long as it takes to fill the queue."""
    for member in ring.members.of("worker"):
        await ring.members.hold(member)
    await asyncio.sleep(2.0)


def back_to_work(ring: Arena) -> None:
    for member in ring.members.of("worker"):
        ring.members.let(member)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ring", [IMPATIENT], indirect=True)
async def test_queue_purged_deleted_and_blocked(ring: Arena) -> None:
    rabbitmq, queue = ring.brokers.stack.rabbitmq, ring.made.names.queue("task-execution")
    await waiting_jobs(ring)
    async with ring.fault("queue purged", "rabbitmq"):
        await asyncio.to_thread(rabbitmq.control, "purge_queue", queue)
        back_to_work(ring)
    await ring.busy(completions=150)
    await waiting_jobs(ring)
    async with ring.fault("queue deleted", "rabbitmq"):
        await asyncio.to_thread(rabbitmq.control, "delete_queue", queue)
        back_to_work(ring)
    await ring.busy(completions=150)
    async with ring.fault("queue deleted while it is consumed", "rabbitmq"):
        await asyncio.to_thread(rabbitmq.control, "delete_queue", queue)
    await ring.busy(completions=150)
    async with ring.fault("memory alarm", "rabbitmq"):
        await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            await asyncio.sleep(ALARM_SECONDS)
        finally:
            await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "0.4")
    # The queue moves on beyond what was lost: only then is it known to be lost.
    await asyncio.sleep(2 * LOST_AFTER_SECONDS)
    verdict = await judge(ring)
    assert verdict.findings == []
    reasons = {fact.reason for fact in ring.witness.facts_of(TaskRetryScheduled)}
    assert any("moved on without it" in reason for reason in reasons)
    assert await dead_letters(ring) == 0


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ring", [IMPATIENT], indirect=True)
async def test_rabbitmq_comes_back_empty(ring: Arena) -> None:
    """Its disk is lost with everything that was queued: jobs are dispatched anew, from the diary alone."""
    rabbitmq = ring.brokers.stack.rabbitmq
    (dispatch,) = ring.members.of("dispatch")
    await waiting_jobs(ring)
    async with ring.fault("RabbitMQ restarted empty", "rabbitmq"):
        await ring.members.hold(dispatch, gracefully=False)  # nothing is published until the shadow listens again
        await ring.shadow.drain()
        await asyncio.to_thread(rabbitmq.kill)
        shutil.rmtree(rabbitmq.folder / "data")
        await asyncio.to_thread(rabbitmq.start)
        await asyncio.to_thread(ring.command, "setup")
        await ring.shadow.bind()
        ring.members.let(dispatch)
        back_to_work(ring)
    await ring.busy(completions=150)
    await asyncio.sleep(2 * LOST_AFTER_SECONDS)
    assert (await judge(ring)).findings == []


async def dead_letters(ring: Arena) -> int:
    """How many jobs lie in the dead-letter queue."""
    async with await aio_pika.connect(ring.brokers.endpoints.rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(ring.made.names.dead_letter_queue("task-execution"), passive=True)
        return queue.declaration_result.message_count or 0
