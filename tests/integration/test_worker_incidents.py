"""What the worker does when parts fail under it: processes killed, connections cut, brokers gone."""

import signal
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import redis.asyncio

from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed, TaskExecutionStarted
from tests.support.brokers import RunningBrokers
from tests.support.proxy import proxied
from tests.support.worker_rig import Rig, eventually, worker_rig


@pytest.fixture
async def rig(brokers_stack: RunningBrokers) -> AsyncIterator[Rig]:
    async with worker_rig(brokers_stack) as rig:
        yield rig


async def status_of(rig: Rig, task_id: str) -> str | None:
    async with redis.asyncio.Redis.from_url(rig.settings.redis_url) as client:
        found = await client.hget(f"{rig.settings.names.guard_prefix}task:{task_id}", "status")
        return found.decode() if found else None


async def test_worker_killed_inside_a_handler(rig: Rig) -> None:
    first = rig.start_worker()
    await rig.publish("t-1")
    await eventually(lambda: rig.marks("begun"))
    first.signal(signal.SIGKILL)
    second = rig.start_worker()
    await eventually(lambda: len(rig.marks("begun")) == 2)
    rig.go()
    outcome = await rig.outcome("t-1")
    assert isinstance(outcome, TaskExecutionCompleted)
    starts = await rig.starts("t-1")
    assert [start.token.claim for start in starts] == [1, 2]
    assert starts[0].worker != starts[1].worker == outcome.worker
    assert [start.redelivered for start in starts] == [False, True]
    assert "it runs alone" in second.log


async def test_four_workers_killed_by_one_job(rig: Rig) -> None:
    """The first dies in company, three more alone; the fifth records it, and the innocent neighbour is not harmed."""
    await rig.publish("t-1", "DIE")
    for _ in range(4):
        worker = rig.start_worker(GUARD__LEASE_SECONDS="0.9")
        assert await worker.exit_code() == -signal.SIGKILL
    rig.go()
    await rig.publish("t-2")
    rig.start_worker(GUARD__LEASE_SECONDS="0.9")
    assert isinstance(await rig.outcome("t-2"), TaskExecutionCompleted)
    outcome = await rig.outcome("t-1")
    assert isinstance(outcome, TaskExecutionFailed)
    assert (outcome.error_type, outcome.retryable) == ("WorkersDied", False)
    assert len(rig.marks("begun", "t-1")) == 4
    assert [start.token.claim for start in await rig.starts("t-1")] == [1, 2, 3, 4]
    assert outcome.token.claim == 5


async def test_amqp_connection_cut_inside_a_handler(rig: Rig) -> None:
    amqp = urlsplit(rig.settings.rabbitmq_url)
    async with proxied(str(amqp.hostname), int(amqp.port or 5672)) as proxy:
        url = amqp._replace(netloc=f"{amqp.username}:{amqp.password}@127.0.0.1:{proxy.port}").geturl()
        worker = rig.start_worker(RABBITMQ__URL=url)
        await rig.publish("t-1")
        await eventually(lambda: rig.marks("begun"))
        assert proxy.cut() == 1
        await eventually(lambda: "joined" in worker.log)
        rig.go()
        assert isinstance(await rig.outcome("t-1"), TaskExecutionCompleted)
        await eventually(lambda: "✓ Event processed successfully: t-1" in worker.log)
        await rig.publish("t-2")
        assert isinstance(await rig.outcome("t-2"), TaskExecutionCompleted)
        worker.signal(signal.SIGTERM)
        assert await worker.exit_code() == 0
    assert len(rig.marks("begun", "t-1")) == 1
    assert len(await rig.starts("t-1")) == 1
    assert await rig.messages() == 0


async def test_kafka_gone_while_an_outcome_is_due(rig: Rig, brokers_stack: RunningBrokers) -> None:
    """Nothing is acked before the outcome is durable: the job comes back when the worker dies, and is not run again."""
    first = rig.start_worker()
    await rig.publish("t-1")
    await eventually(lambda: rig.marks("begun"))
    brokers_stack.stack.kafka.pause()
    try:
        rig.go()

        async def stored() -> bool:
            return await status_of(rig, "t-1") == "outcome"

        await eventually(stored)
        first.signal(signal.SIGKILL)
        await first.exit_code()

        async def back() -> bool:
            return await rig.messages() == 1

        await eventually(back)
    finally:
        brokers_stack.stack.kafka.resume()
    before = [fact for fact in await rig.history("t-1") if isinstance(fact, TaskExecutionCompleted)]
    second = rig.start_worker()
    outcome = await rig.outcome("t-1")
    assert isinstance(outcome, TaskExecutionCompleted)
    await eventually(lambda: "the outcome is known: not run again" in second.log)
    second.signal(signal.SIGTERM)
    assert await second.exit_code() == 0
    assert await rig.messages() == 0
    assert len(rig.marks("begun")) == 1
    # The first worker's record may have arrived after all: then the same fact stands there twice, under one id.
    assert {fact.id for fact in await rig.history("t-1") if not isinstance(fact, TaskExecutionStarted)} == {outcome.id}
    assert len(before) <= 1


async def test_kafka_back_after_an_outage_is_noticed_by_the_same_worker(
    rig: Rig, brokers_stack: RunningBrokers
) -> None:
    worker = rig.start_worker()
    await rig.publish("t-1")
    await eventually(lambda: rig.marks("begun"))
    brokers_stack.stack.kafka.pause()
    try:
        rig.go()

        async def stored() -> bool:
            return await status_of(rig, "t-1") == "outcome"

        await eventually(stored)
    finally:
        brokers_stack.stack.kafka.resume()
    assert isinstance(await rig.outcome("t-1"), TaskExecutionCompleted)
    await eventually(lambda: "✓ Event processed successfully: t-1" in worker.log)
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code() == 0
    assert await rig.messages() == 0


async def test_redis_gone_and_back(rig: Rig, brokers_stack: RunningBrokers) -> None:
    rig.go()
    worker = rig.start_worker(REDIS__TIMEOUT_SECONDS="0.5")
    await rig.publish("t-1")
    await rig.outcome("t-1")
    brokers_stack.stack.redis.pause()
    try:
        for number in range(2, 6):
            await rig.publish(f"t-{number}")
        await eventually(lambda: "the guard does not answer" in worker.log)
        assert len(rig.marks("begun")) == 1
    finally:
        brokers_stack.stack.redis.resume()
    for number in range(2, 6):
        assert isinstance(await rig.outcome(f"t-{number}"), TaskExecutionCompleted)
    assert len(rig.marks("begun")) == 5
    assert worker.log.count("the guard does not answer") == 1
    assert "the guard answers again" in worker.log


async def test_guard_that_has_forgotten_lets_nothing_run_until_it_is_rebuilt(rig: Rig) -> None:
    rig.go()
    worker = rig.start_worker()
    await eventually(lambda: "RabbitMQ connected" in worker.log)
    async with redis.asyncio.Redis.from_url(rig.settings.redis_url) as client:
        await client.delete(f"{rig.settings.names.guard_prefix}epoch")
    await rig.publish("t-1")
    await eventually(lambda: "streamapp guard rebuild" in worker.log)
    assert rig.marks("begun") == []
    await rig.guard.rebuild([], 7)
    outcome = await rig.outcome("t-1")
    assert outcome.token.epoch == 7


async def test_blocked_event_loop_keeps_its_claim(rig: Rig) -> None:
    """A duplicate of the job reaches another worker, which must not run it, however long the first one blocks."""
    rig.start_worker(WORKER__PREFETCH="1", WORKER__CONCURRENCY="1", GUARD__LEASE_SECONDS="1")
    await rig.publish("t-1", "BLOCK")
    await eventually(lambda: rig.marks("begun"))
    second = rig.start_worker(GUARD__LEASE_SECONDS="1", LOG__LEVEL="DEBUG")
    await rig.publish("t-1", "BLOCK")
    # Held is answered once per lease: three times means that the first lease was renewed twice at least.
    await eventually(lambda: second.log.count("another worker holds the task") >= 3)
    assert len(rig.marks("begun")) == 1
    rig.go()
    assert isinstance(await rig.outcome("t-1"), TaskExecutionCompleted)
    await eventually(lambda: "the outcome is known: not run again" in second.log)
    assert len(rig.marks("begun")) == 1
    assert len(await rig.starts("t-1")) == 1


async def test_worker_that_was_stopped_past_its_lease_is_a_zombie(rig: Rig) -> None:
    """Another worker finishes meanwhile; the zombie's outcome is told, below the other's token, and settles nothing."""
    zombie = rig.start_worker(RABBITMQ__HEARTBEAT_SECONDS="1")
    await rig.publish("t-1")
    await eventually(lambda: rig.marks("begun"))
    zombie.signal(signal.SIGSTOP)
    second = rig.start_worker(RABBITMQ__HEARTBEAT_SECONDS="1")
    await eventually(lambda: len(rig.marks("begun")) == 2)
    rig.go()
    outcome = await rig.outcome("t-1")
    zombie.signal(signal.SIGCONT)
    await eventually(lambda: "the claim was lost while the handler ran" in zombie.log)
    assert outcome.token.claim == 2

    async def both_told() -> bool:
        return len([fact for fact in await rig.history("t-1") if isinstance(fact, TaskExecutionCompleted)]) == 2

    await eventually(both_told)
    assert "✓ Event processed successfully: t-1" in second.log
