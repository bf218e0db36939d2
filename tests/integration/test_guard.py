"""The guard on a real Redis: races, leases that really run out, and a Redis that dies or forgets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from streamapp.domain.errors import ConfigurationError, Unavailable
from streamapp.domain.facts import Token
from streamapp.guard import Claim, Claimed, ClaimRecord, Guard, GuardNotReady, Held, Known, Superseded
from streamapp.guard.live import Registration, WaitingJob
from tests.support.brokers import RunningBrokers
from tests.support.guards import LEASE_SECONDS, Workers
from tests.support.worker_rig import eventually


@pytest.fixture
async def workers(own_redis: RunningBrokers) -> AsyncIterator[Workers]:
    made = Workers(own_redis.endpoints.redis_url)
    await made.guard("operator").rebuild([], 1)
    yield made
    await made.close()


async def claimed(guard: Guard, task_id: str = "t", attempt: int = 1) -> Claim:
    answer = await guard.claim(task_id, attempt)
    assert isinstance(answer, Claimed), answer
    return answer.claim


async def test_of_many_claimers_one_wins_each_task(workers: Workers) -> None:
    guards = [workers.guard(f"w{number}", lease_seconds=30) for number in range(10)]
    tasks = [f"t-{number}" for number in range(50)]
    answers = await asyncio.gather(*(guard.claim(task, 1) for task in tasks for guard in guards for _ in range(2)))
    for index, task in enumerate(tasks):
        of_task = answers[index * 20 : index * 20 + 20]
        assert sum(isinstance(answer, Claimed) for answer in of_task) == 1, task
        assert sum(isinstance(answer, Held) for answer in of_task) == 19, task


async def test_lease_that_nobody_renews_runs_out(workers: Workers) -> None:
    await claimed(workers.guard("dead"))
    heir = workers.guard("heir")
    assert isinstance(await heir.claim("t", 1), Held)

    async def taken_over() -> Claimed | None:
        answer = await heir.claim("t", 1)
        return answer if isinstance(answer, Claimed) else None

    answer = await eventually(taken_over)
    assert (answer.alone, answer.takeover, answer.deaths) == (True, True, 0)


async def test_lease_is_renewed_while_the_event_loop_is_blocked(workers: Workers) -> None:
    busy, other = workers.guard("busy"), workers.guard("other")
    await busy.start()
    claim = await claimed(busy)
    busy.keep(claim, 30)
    unblock = time.monotonic() + 2 * LEASE_SECONDS
    while time.monotonic() < unblock:
        time.sleep(0.01)
    assert isinstance(await other.claim("t", 1), Held)
    assert await busy.confirm(claim)


async def test_lease_is_renewed_no_longer_than_its_deadline(workers: Workers) -> None:
    stuck, other = workers.guard("stuck"), workers.guard("other")
    await stuck.start()
    claim = await claimed(stuck)
    stuck.keep(claim, 0.1)

    async def taken_over() -> bool:
        return isinstance(await other.claim("t", 1), Claimed)

    await eventually(taken_over)
    assert not await stuck.complete(claim, b"late", succeeded=True)


async def test_renewal_notices_a_claim_that_was_taken_away(workers: Workers, client: Any) -> None:
    loser = workers.guard("loser")
    await loser.start()
    claim = await claimed(loser)
    await client.hset(f"{workers.prefix}task:t", "claim", 2)
    await eventually(lambda: loser.lost(claim))
    assert not await loser.complete(claim, b"late", succeeded=True)
    assert not loser.lost(claim)


async def test_lapsed_lease_that_nobody_took_is_renewed(workers: Workers, client: Any) -> None:
    slow = workers.guard("slow")
    claim = await claimed(slow)
    await client.hset(f"{workers.prefix}task:t", "until", 1)
    await slow.start()

    async def renewed() -> bool:
        return int(await client.hget(f"{workers.prefix}task:t", "until")) > 1

    await eventually(renewed)
    assert await slow.confirm(claim)


async def test_claim_that_was_not_confirmed_is_renewed_no_more(workers: Workers, client: Any) -> None:
    """Red: the worker claimed again, and was told for ever that the task is held, by its own renewals."""
    guard = workers.guard("w1")
    await guard.start()
    claim = await claimed(guard)
    await client.hset(f"{workers.prefix}task:t", "until", 0)
    assert not await guard.confirm(claim)
    await asyncio.sleep(2 * LEASE_SECONDS)
    assert isinstance(await guard.claim("t", 1), Claimed)


async def test_claim_whose_caller_has_gone_is_given_back(workers: Workers) -> None:
    hasty, other = workers.guard("hasty"), workers.guard("other")
    asking = asyncio.create_task(hasty.claim("t", 1))
    await asyncio.sleep(0)  # one turn of the loop: the question is on its way, the answer is not there
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    async def free() -> Claimed | None:
        answer = await other.claim("t", 1)
        return answer if isinstance(answer, Claimed) else None

    assert not (await eventually(free)).alone


async def test_flushed_redis_answers_nothing_until_it_is_rebuilt(workers: Workers, client: Any) -> None:
    a = workers.guard("a")
    claim = await claimed(a)
    await client.flushall()
    assert await a.epoch() is None
    calls: list[Callable[[], Any]] = [
        lambda: a.claim("t", 1),
        lambda: a.confirm(claim),
        lambda: a.complete(claim, b"fact", succeeded=True),
        lambda: a.ended(claim),
        lambda: a.release(claim),
    ]
    for call in calls:
        with pytest.raises(GuardNotReady, match="streamapp guard rebuild"):
            await call()
    assert await a.rebuild([], 4) == 4
    assert (await claimed(a)).token == Token(4, 1)


async def test_running_claim_outlives_a_rebuild(workers: Workers, client: Any) -> None:
    """The diary knows its start; its renewals are honoured again, and its outcome is kept."""
    a = workers.guard("a")
    await a.start()
    claim = await claimed(a)
    await client.flushall()
    record = ClaimRecord("t", 1, claim.token, ended=False, succeeded=False, ended_at_ms=0, worker="a")
    await workers.guard("operator").rebuild([record], 2)

    async def active() -> bool:
        return bool(await client.hget(f"{workers.prefix}task:t", "status") == b"active")

    await eventually(active)
    assert await a.confirm(claim)
    assert isinstance(await workers.guard("b").claim("t", 1), Held)
    assert await a.complete(claim, b"fact", succeeded=True)


async def test_rebuilt_claims_answer_as_before(workers: Workers, client: Any) -> None:
    await client.flushall()
    guard = workers.guard("a")
    now = int(time.time() * 1000)

    async def records() -> AsyncIterator[ClaimRecord]:
        yield ClaimRecord("open", 2, Token(1, 3), ended=False, succeeded=False, ended_at_ms=0, worker="gone")
        yield ClaimRecord("done", 1, Token(1, 1), ended=True, succeeded=True, ended_at_ms=now)
        yield ClaimRecord("failed", 1, Token(1, 1), ended=True, succeeded=False, ended_at_ms=now)
        for number in range(1200):
            yield ClaimRecord(f"n-{number}", 1, Token(1, 1), ended=True, succeeded=True, ended_at_ms=now)

    assert await guard.rebuild(records(), 2) == 2
    assert await guard.claim("open", 1) == Superseded(2)
    assert await guard.claim("open", 2) == Claimed(Claim("open", 2, Token(2, 4)), alone=False, deaths=0, takeover=False)
    assert await guard.claim("done", 1) == Known(Claim("done", 1, Token(1, 1)), None)
    assert await guard.claim("done", 2) == Superseded(1)
    assert await guard.claim("failed", 1) == Known(Claim("failed", 1, Token(1, 1)), None)
    assert isinstance(await guard.claim("failed", 2), Claimed)
    assert await guard.claim("n-1199", 1) == Known(Claim("n-1199", 1, Token(1, 1)), None)
    ttl = await client.pttl(f"{workers.prefix}task:done")
    assert 3_000_000 < ttl <= 3_600_000


async def test_rebuild_beside_a_living_guard_takes_nothing_away(workers: Workers) -> None:
    a = workers.guard("a", lease_seconds=30)
    running, finished = await claimed(a, "running"), await claimed(a, "finished")
    newer = await claimed(a, "newer")
    await a.complete(finished, b"fact", succeeded=True)
    told = [
        ClaimRecord("running", 1, running.token, ended=False, succeeded=False, ended_at_ms=0, worker="a"),
        ClaimRecord("finished", 1, finished.token, ended=False, succeeded=False, ended_at_ms=0, worker="a"),
        ClaimRecord("newer", 1, Token(0, 9), ended=False, succeeded=False, ended_at_ms=0, worker="x"),
    ]
    assert await workers.guard("operator").rebuild(told, 1) == 2
    assert await a.confirm(running)
    assert await a.confirm(newer)
    assert await a.claim("finished", 1) == Known(finished, b"fact")


async def test_stale_copy_is_corrected_by_a_rebuild(workers: Workers) -> None:
    """Redis was restored from an old copy: there the claim is running, in the diary it has long ended."""
    a = workers.guard("a", lease_seconds=30)
    claim = await claimed(a)
    now = int(time.time() * 1000)
    told = ClaimRecord("t", 1, claim.token, ended=True, succeeded=True, ended_at_ms=now, worker="a")
    await workers.guard("operator").rebuild([told], 1)
    assert await a.claim("t", 1) == Known(claim, None)


async def test_dead_redis_is_unavailable_and_comes_back(workers: Workers, own_redis: RunningBrokers) -> None:
    guard = workers.guard("a", lease_seconds=30)
    claim = await claimed(guard)
    own_redis.stack.redis.kill()
    try:
        with pytest.raises(Unavailable, match="Redis"):
            await guard.claim("u", 1)
        with pytest.raises(Unavailable):
            await guard.start()
    finally:
        own_redis.stack.redis.start()
    # It has read its append-only file and forgotten the scripts.
    assert await guard.confirm(claim)
    assert isinstance(await guard.claim("t", 1), Held)


async def test_hanging_redis_is_unavailable_in_time(workers: Workers, own_redis: RunningBrokers) -> None:
    guard = workers.guard("a", timeout_seconds=0.3, lease_seconds=30)
    own_redis.stack.redis.pause()
    try:
        async with asyncio.timeout(20):
            with pytest.raises(Unavailable):
                await guard.claim("t", 1)
    finally:
        own_redis.stack.redis.resume()

    async def answers() -> Any:
        try:
            return await guard.claim("u", 1)
        except Unavailable:
            return None

    assert isinstance(await eventually(answers), Claimed)


async def test_full_redis_is_unavailable(workers: Workers, client: Any) -> None:
    guard = workers.guard("a", lease_seconds=30)
    failed = await claimed(guard, "failed")
    await guard.complete(failed, b"fact", succeeded=False)
    await client.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable, match="OutOfMemory"):
            await guard.claim("t", 1)
        with pytest.raises(Unavailable, match="OutOfMemory"):
            await guard.claim("failed", 2)
    finally:
        await client.config_set("maxmemory", "0")
    assert await guard.claim("failed", 1) == Known(failed, b"fact")


@pytest.mark.parametrize(
    ("name", "bad", "good"), [("maxmemory-policy", "allkeys-lru", "noeviction"), ("appendonly", "no", "yes")]
)
async def test_redis_that_could_forget_is_refused(
    workers: Workers, client: Any, name: str, bad: str, good: str
) -> None:
    await client.config_set(name, bad)
    try:
        with pytest.raises(ConfigurationError, match=f"{name} {bad}.*config set {name} {good}"):
            await workers.guard("a").start()
    finally:
        await client.config_set(name, good)


async def test_redis_that_hides_its_settings_is_warned_about(
    workers: Workers, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await client.execute_command("ACL SETUSER shy on nopass ~* &* +@all -config")
    guard = Workers(workers.url.replace("redis://", "redis://shy:any@")).guard("a")
    await guard.start()
    await guard.stop()
    assert "does not show its settings" in caplog.text


async def test_live_states_follow_a_job(workers: Workers) -> None:
    a = workers.guard("a", lease_seconds=30, finished_jobs_kept=2)
    assert await a.counts() == {"waiting": 0, "active": 0, "completed": 0, "failed": 0}
    claim = await claimed(a, "task:with:colons")
    [job] = await a.live_jobs("active")
    assert (job.task_id, job.attempt) == ("task:with:colons", 1)
    await a.claim("task:with:colons", 2)
    assert [job.attempt for job in await a.live_jobs("waiting")] == [2]
    await a.complete(claim, b"fact", succeeded=False)
    await a.ended(claim)
    assert await a.counts() == {"waiting": 1, "active": 0, "completed": 0, "failed": 1}
    second = await claimed(a, "task:with:colons", 2)
    await a.release(second)
    assert await a.counts() == {"waiting": 1, "active": 0, "completed": 0, "failed": 1}
    for number in range(4):
        claim = await claimed(a, f"t-{number}")
        await a.complete(claim, b"fact", succeeded=True)
        await a.ended(claim)
    assert [job.task_id for job in await a.live_jobs("completed")] == ["t-3", "t-2"]


async def test_worker_is_registered_while_it_lives(workers: Workers, own_redis: RunningBrokers) -> None:
    said = Registration("host", 42, 1_700_000_000_000, 5, ("q1", "q2"), 3)
    waiting: list[WaitingJob] = [("t-9", 1)]
    guard = workers.guard("a", describe_worker=lambda: (said, waiting))
    await guard.start()
    watcher = workers.guard("watcher")

    async def registered() -> list[Any]:
        return [(found.worker, found.registration) for found in await watcher.workers()]

    assert await eventually(registered) == [("a", said)]
    assert [job.task_id for job in await watcher.live_jobs("waiting")] == ["t-9"]
    await guard.stop()
    assert await registered() == []


async def test_claimed_job_is_never_listed_as_waiting(workers: Workers) -> None:
    """The list of waiting jobs is a moment old when it reaches Redis."""
    said = Registration("host", 42, 1, 5, ("q",), 0)
    guard = workers.guard("a", describe_worker=lambda: (said, [("t", 1), ("t", 2)]))
    await claimed(guard, "t", 1)
    await guard.start()

    async def waiting() -> list[int]:
        return [job.attempt for job in await guard.live_jobs("waiting")]

    assert await eventually(waiting) == [2]


async def test_rebuild_that_breaks_off_leaves_nothing_to_run_on(workers: Workers) -> None:
    guard = workers.guard("a")

    def torn() -> Iterator[ClaimRecord]:
        yield ClaimRecord("done", 1, Token(1, 1), ended=True, succeeded=True, ended_at_ms=0)
        raise OSError("the diary cannot be read on")

    with pytest.raises(Unavailable):
        await guard.rebuild(torn(), 2)
    with pytest.raises(GuardNotReady):
        await guard.claim("t", 1)
    assert await guard.epoch() is None
