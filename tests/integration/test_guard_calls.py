"""Calls of the guard that go together, on a real Redis: each is answered as if it had gone alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streamapp.domain.errors import Unavailable
from streamapp.guard import Claim, Claimed, Guard, Known, Superseded
from streamapp.guard.calls import MAX_PIPELINE
from tests.support.brokers import RunningBrokers
from tests.support.guards import Workers

MANY = MAX_PIPELINE + 50
TASKS = [f"t-{number}" for number in range(MANY)]


@pytest.fixture
async def guard(own_redis: RunningBrokers) -> AsyncIterator[Guard]:
    workers = Workers(own_redis.endpoints.redis_url, lease_seconds=30)
    guard = workers.guard("worker")
    await guard.rebuild([], 1)
    yield guard
    await workers.close()


async def claimed_together(guard: Guard) -> list[Claim]:
    answers = await asyncio.gather(*(guard.claim(task, 1) for task in TASKS))
    assert all(isinstance(answer, Claimed) for answer in answers), answers
    return [answer.claim for answer in answers if isinstance(answer, Claimed)]


async def commands(client: Any) -> int:
    return int((await client.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def test_each_of_many_is_answered_for_itself(guard: Guard) -> None:
    claims = await claimed_together(guard)
    assert [claim.task_id for claim in claims] == TASKS
    lost, current = claims[::2], claims[1::2]
    assert all(await asyncio.gather(*(guard.release(claim) for claim in lost)))
    confirmed = await asyncio.gather(*(guard.confirm(claim) for claim in claims))
    assert confirmed == [claim in current for claim in claims]
    kept = await asyncio.gather(*(guard.complete(claim, claim.task_id.encode(), succeeded=True) for claim in claims))
    assert kept == confirmed
    known = await asyncio.gather(*(guard.claim(claim.task_id, 1) for claim in current))
    assert known == [Known(claim, claim.task_id.encode()) for claim in current]
    assert all(await asyncio.gather(*(guard.ended(claim) for claim in current)))
    over = await asyncio.gather(*(guard.claim(claim.task_id, 2) for claim in current))
    assert over == [Superseded(1)] * len(current)


async def test_many_calls_are_few_commands(guard: Guard, client: Any) -> None:
    claims = await claimed_together(guard)
    before = await commands(client)
    await asyncio.gather(*(guard.confirm(claim) for claim in claims), *(guard.claim("t-0", 1) for _ in range(5)))
    assert await commands(client) - before <= 2 * (1 + len(claims) // MAX_PIPELINE)


async def test_one_that_fails_does_not_take_the_others_with_it(guard: Guard, client: Any) -> None:
    key = guard._keys.task("t-7")
    await client.set(key, "not a claim")
    answers = await asyncio.gather(*(guard.claim(task, 1) for task in TASKS), return_exceptions=True)
    assert isinstance(answers[7], Unavailable)
    assert "WRONGTYPE" in str(answers[7])
    assert all(isinstance(answer, Claimed) for answer in answers[:7] + answers[8:])


async def test_forgotten_scripts_are_told_again(guard: Guard, client: Any) -> None:
    claims = await claimed_together(guard)
    await client.script_flush()
    assert all(await asyncio.gather(*(guard.confirm(claim) for claim in claims)))
    assert await guard.confirm(claims[0])


async def test_calls_about_one_task_stay_in_order(guard: Guard) -> None:
    """A worker that stops may hand back one claim, keep the outcome of another, and hand that one back too."""
    other, claim = await guard.claim("other", 1), await guard.claim("t", 1)
    assert isinstance(other, Claimed)
    assert isinstance(claim, Claimed)
    answers = await asyncio.gather(
        guard.confirm(claim.claim),  # under way while the others wait
        guard.release(other.claim),
        guard.complete(claim.claim, b"fact", succeeded=True),
        guard.release(claim.claim),
    )
    assert answers == [True, True, True, False]
    assert await guard.claim("t", 1) == Known(claim.claim, b"fact")
