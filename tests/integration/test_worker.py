"""Real worker processes on real brokers: the good days, the refusals, and the ends."""

import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aio_pika
import pytest

from streamapp.domain.facts import TaskExecutionCompleted, TaskExecutionFailed, TaskExecutionStarted
from streamapp.queue import depth
from streamapp.wire import jobs
from streamapp.wire.jobs import Job
from tests.support.brokers import RunningBrokers
from tests.support.rabbitmq import beneath
from tests.support.worker_rig import Rig, eventually, worker_rig


@pytest.fixture
async def rig(brokers_stack: RunningBrokers) -> AsyncIterator[Rig]:
    async with worker_rig(brokers_stack) as rig:
        yield rig


async def put(rig: Rig, body: bytes, published: datetime | None = None) -> None:
    """A message that no publisher of ours would send."""
    async with beneath(rig.settings.rabbitmq_url) as channel:
        message = aio_pika.Message(body, timestamp=published, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, rig.queue)


async def test_job_is_executed_and_told(rig: Rig) -> None:
    rig.go()
    worker = rig.start_worker()
    await rig.publish("t-1")
    outcome = await rig.outcome("t-1")
    assert isinstance(outcome, TaskExecutionCompleted)
    assert outcome.result == {"held": "t-1"}
    [start] = await rig.starts("t-1")
    assert (start.worker, start.token) == (outcome.worker, outcome.token)
    await eventually(lambda: "✓ Event processed successfully: t-1" in worker.log)
    assert "→ Processing event: t-1" in worker.log
    assert [job.task_id for job in await rig.guard.live_jobs("completed")] == ["t-1"]
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code() == 0
    assert await rig.messages() == 0


async def test_four_workers_of_five_run_twenty_handlers_at_once(rig: Rig) -> None:
    for number in range(40):
        await rig.publish(f"t-{number}")
    for _ in range(4):
        rig.start_worker()
    await eventually(lambda: len(rig.marks("begun")) >= 20)

    async def all_taken() -> bool:
        return await rig.messages() == 0

    # Every worker holds ten by now and runs five of them: nobody runs a sixth.
    await eventually(all_taken)
    assert len(rig.marks("begun")) == 20
    assert rig.marks("done") == []
    by_process = [mark.split("-")[4] for mark in rig.marks("begun")]
    assert {by_process.count(process) for process in by_process} == {5}
    registered = await rig.guard.workers()
    assert [worker.registration.concurrency for worker in registered] == [5, 5, 5, 5]
    rig.go()
    await eventually(lambda: len(rig.marks("done")) == 40)
    assert len(rig.marks("begun")) == 40


async def test_job_delivered_again_after_its_end_runs_no_second_time(rig: Rig) -> None:
    rig.go()
    worker = rig.start_worker()
    await rig.publish("t-1")
    await rig.outcome("t-1")
    before = await rig.history("t-1")
    await rig.publish("t-1")
    await eventually(lambda: "the outcome is known: not run again" in worker.log)
    worker.signal(signal.SIGTERM)
    await worker.exit_code()
    assert await rig.messages() == 0
    assert len(rig.marks("begun")) == 1
    assert await rig.history("t-1") == before


async def test_what_is_no_job_is_dead_lettered_and_its_neighbour_runs(rig: Rig) -> None:
    rig.go()
    rig.start_worker()
    for body in (b"\xff", b"{}", b"[" * 20_000, b'{"taskId":"","attempt":1}'):
        await put(rig, body)
    await rig.publish("t-1")
    await rig.outcome("t-1")
    dead = rig.settings.names.dead_letter_queue(rig.settings.rabbitmq.queue)

    async def dead_letters() -> bool:
        return (await depth(rig.settings.rabbitmq_url, [dead]))[dead].messages == 4

    await eventually(dead_letters)


async def test_job_older_than_claims_is_reported_and_not_run(rig: Rig) -> None:
    rig.go()
    rig.start_worker()
    job = Job("t-1", 1, "HOLD", {"directory": str(rig.directory)}, 60)
    await put(rig, jobs.encode(job), datetime.now(UTC) - timedelta(days=8))
    outcome = await rig.outcome("t-1")
    assert isinstance(outcome, TaskExecutionFailed)
    assert (outcome.error_type, outcome.retryable, outcome.counted) == ("JobTooOld", True, False)
    assert [type(fact) for fact in await rig.history("t-1")] == [TaskExecutionStarted, TaskExecutionFailed]
    assert rig.marks("begun") == []


async def test_handler_past_its_timeout_is_cancelled(rig: Rig) -> None:
    worker = rig.start_worker()
    await rig.publish("t-1", timeout_seconds=0.3)
    outcome = await rig.outcome("t-1")
    assert isinstance(outcome, TaskExecutionFailed)
    assert (outcome.error_type, outcome.retryable) == ("Timeout", True)
    await eventually(lambda: "✗ Event failed: t-1" in worker.log)
    assert rig.marks("done") == []


async def test_sigterm_lets_a_running_handler_end(rig: Rig) -> None:
    worker = rig.start_worker()
    await rig.publish("t-1")
    await eventually(lambda: rig.marks("begun"))
    worker.signal(signal.SIGTERM)
    rig.go()
    assert await worker.exit_code() == 0
    assert isinstance(await rig.outcome("t-1"), TaskExecutionCompleted)
    assert await rig.messages() == 0


@pytest.mark.parametrize("signals", [1, 2])
async def test_sigterm_hands_back_what_does_not_end(rig: Rig, signals: int) -> None:
    """With one signal once the grace is over, with a second one at once."""
    first = rig.start_worker(WORKER__SHUTDOWN_GRACE_SECONDS="1" if signals == 1 else "600", WORKER__CONCURRENCY="1")
    await rig.publish("t-1")
    await eventually(lambda: rig.marks("begun"))
    await rig.publish("t-2")

    async def taken() -> bool:
        return await rig.messages() == 0

    await eventually(taken)
    first.signal(signal.SIGTERM)
    if signals == 2:
        await eventually(lambda: "stopping" in first.log)
        first.signal(signal.SIGTERM)
    assert await first.exit_code() == 0
    assert await rig.messages() == 2
    rig.go()
    second = rig.start_worker()
    assert isinstance(await rig.outcome("t-1"), TaskExecutionCompleted)
    assert isinstance(await rig.outcome("t-2"), TaskExecutionCompleted)
    assert [start.token.claim for start in await rig.starts("t-1")] == [1, 2]
    # Handed back is not died: no lease had to run out, and nothing was run alone.
    assert "it runs alone" not in second.log
    assert len(rig.marks("begun", "t-2")) == 1


async def test_prefetch_that_outlasts_the_consumer_timeout_is_refused(rig: Rig) -> None:
    worker = rig.start_worker(WORKER__PREFETCH="1000", WORKER__CONCURRENCY="1")
    assert await worker.exit_code() == 2
    assert "STREAMAPP_WORKER__PREFETCH" in worker.log
    assert "STREAMAPP_RABBITMQ__CONSUMER_TIMEOUT_SECONDS" in worker.log
