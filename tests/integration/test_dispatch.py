"""Dispatch alone, live: what is accepted is published once and recorded, and failures are decided by the policy."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from streamapp.domain.facts import AnyFact, Origin, TaskFailedPermanently, TaskRetryScheduled, Token
from streamapp.domain.outcome import Failed
from streamapp.domain.policy import Policy
from streamapp.wire.scribe import Scribe
from tests.support.brokers import RunningBrokers
from tests.support.lived import Lived, lived
from tests.support.rabbitmq import beneath
from tests.support.stack import RoleProcess
from tests.support.traffic import Traffic

SPECIAL = "special"
POLICY = Policy(max_attempts=3, delay_seconds=1.0, multiplier=2.0, timeout_seconds=86_400.0)
WORKER = Scribe("worker", "w1", lambda: "2026-01-01T00:00:00.000Z")


@pytest.fixture(scope="module")
async def life(brokers_stack: RunningBrokers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    folder = tmp_path_factory.mktemp("dispatch")
    async with lived(brokers_stack.endpoints, folder, RABBITMQ__ROUTES=f'{{"SPECIAL": "{SPECIAL}"}}') as made:
        yield made


@pytest.fixture(scope="module")
async def dispatch(life: Lived) -> AsyncIterator[RoleProcess]:
    process = await life.made.started("dispatch")
    await process.gates_open()
    yield process
    assert process.stop() == 0
    assert process.troubles("job cannot be published") == []


async def _accept(life: Lived, task_id: str, type: str = "EMAIL") -> None:
    await life.kafka.tell(life.topic, [WORKER.accepted(task_id, type, {"n": 1}, POLICY, Origin("http"))])


async def _fail(life: Lived, task_id: str, attempt: int, *, retryable: bool = True) -> int:
    """An attempt that started and failed; the broker's time of the failure."""
    token, outcome = Token(1, attempt), Failed("Boom", "no luck", retryable)
    ended: AnyFact = WORKER.ended(task_id, attempt, "w1", token, outcome, 5)
    await life.kafka.tell(life.topic, [WORKER.started(task_id, attempt, "w1", token, redelivered=False), ended])
    return (await life.told("TaskExecutionFailed", task_id, attempt)).at


async def test_every_accepted_task_is_published_once_and_recorded(life: Lived, dispatch: RoleProcess) -> None:
    facts = [Traffic(0, "once").accepted(f"once-{number}", payload={"n": number}) for number in range(300)]
    await life.kafka.tell(life.topic, facts)
    await life.calm()
    wanted = Counter({f"{fact.task_id}:1": 1 for fact in facts})
    assert {name: number for name, number in life.tap.ids.items() if name.startswith("once-")} == wanted
    told = Counter(recorded.fact.task_id for _, recorded in await life.facts() if _is_dispatched(recorded.fact))
    assert all(told[fact.task_id] == 1 for fact in facts)
    assert all(tapped.job.parameters == {"n": int(tapped.job.task_id[5:])} for tapped in life.tap.seen)


def _is_dispatched(fact: AnyFact) -> bool:
    return fact.NAME == "TaskDispatched" and fact.source == "/streamapp/dispatch/dispatch"


async def test_failures_are_retried_by_the_policy_and_given_up_in_the_end(life: Lived, dispatch: RoleProcess) -> None:
    await _accept(life, "unlucky")
    for attempt, delay_ms in ((1, 1000), (2, 2000)):
        await life.told("TaskDispatched", "unlucky", attempt)
        failed_at = await _fail(life, "unlucky", attempt)
        scheduled = (await life.told("TaskRetryScheduled", "unlucky", attempt + 1)).fact
        assert isinstance(scheduled, TaskRetryScheduled)
        assert (scheduled.not_before, scheduled.failures) == (failed_at + delay_ms, attempt)
        again = await life.tap.published(f"unlucky:{attempt + 1}")
        assert again.seen_at >= scheduled.not_before
    await life.told("TaskDispatched", "unlucky", 3)
    await _fail(life, "unlucky", 3)
    given_up = (await life.told("TaskFailedPermanently", "unlucky")).fact
    assert isinstance(given_up, TaskFailedPermanently)
    assert (given_up.attempt, given_up.reason) == (3, "Boom: 3 of 3 attempts failed")
    await life.calm()
    assert {name: count for name, count in life.tap.ids.items() if name.startswith("unlucky:")} == {
        "unlucky:1": 1,
        "unlucky:2": 1,
        "unlucky:3": 1,
    }


async def test_what_is_not_retryable_is_given_up_at_once(life: Lived, dispatch: RoleProcess) -> None:
    await _accept(life, "hopeless")
    await life.told("TaskDispatched", "hopeless", 1)
    await _fail(life, "hopeless", 1, retryable=False)
    given_up = (await life.told("TaskFailedPermanently", "hopeless")).fact
    assert isinstance(given_up, TaskFailedPermanently)
    assert (given_up.attempt, given_up.reason) == (1, "Boom: not retryable")
    await life.calm()
    assert "hopeless:2" not in life.tap.ids


async def test_a_queue_that_is_gone_blocks_nobody_and_is_made_again(life: Lived, dispatch: RoleProcess) -> None:
    queue = life.made.names.queue(SPECIAL)
    async with beneath(life.made.endpoints.rabbitmq_url) as channel:
        await channel.queue_delete(queue)
    await _accept(life, "special", "SPECIAL")
    await _accept(life, "neighbour")
    await life.tap.published("neighbour:1")
    await life.told("TaskDispatched", "special", 1)
    async with beneath(life.made.endpoints.rabbitmq_url) as channel:
        message = await (await channel.get_queue(queue)).get(no_ack=True)
    assert message is not None
    assert message.message_id == "special:1"


async def test_rabbitmq_down_while_tasks_are_accepted(
    life: Lived, dispatch: RoleProcess, brokers_stack: RunningBrokers
) -> None:
    assert "rabbitmq" in brokers_stack.stack.services, "RabbitMQ belongs to somebody else, and this test stops it"
    facts = [Traffic(0, "meanwhile").accepted(f"meanwhile-{number}") for number in range(100)]
    await asyncio.to_thread(brokers_stack.stack.rabbitmq.stop)
    try:
        await life.kafka.tell(life.topic, facts)
        dispatched = {item.fact.task_id for _, item in await life.facts() if _is_dispatched(item.fact)}
        assert not {fact.task_id for fact in facts} & dispatched
    finally:
        await asyncio.to_thread(brokers_stack.stack.rabbitmq.start)
    await life.tap.open()
    await life.calm()
    jobs = {name: count for name, count in life.tap.ids.items() if name.startswith("meanwhile-")}
    assert jobs == {f"{fact.task_id}:1": 1 for fact in facts}
    assert dispatch.running
