"""One suite for the real guard and the fake that stands in for it in the pipeline's tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils import uuid7

from streamapp.domain.facts import Token
from streamapp.guard import Claim, Claimed, Claims, Doomed, Guard, Held, Known, Superseded
from tests.support.brokers import RunningBrokers
from tests.support.guard import LEASE_SECONDS, FakeGuard, Memory


class FakeArena:
    """Workers over one memory."""

    def __init__(self) -> None:
        self.memory = Memory()

    async def open(self) -> None:
        return

    def guard(self, worker: str) -> Claims:
        return FakeGuard(self.memory, worker)

    async def let_lapse(self, task_id: str) -> None:
        self.memory.rows[task_id].lapsed = True

    async def close(self) -> None:
        return


class RedisArena:
    """Workers over one real Redis. They are not started, so nothing renews: time passes only by `let_lapse`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.prefix = f"contract-{uuid7()}:"
        self.guards: list[Guard] = []

    async def open(self) -> None:
        await self.guard("operator").rebuild([], 1)

    def guard(self, worker: str) -> Guard:
        guard = Guard(
            self.url,
            prefix=self.prefix,
            worker=worker,
            lease_seconds=LEASE_SECONDS,
            retention_seconds=3600,
            max_deaths=3,
            finished_jobs_kept=100,
            timeout_seconds=5,
        )
        self.guards.append(guard)
        return guard

    async def let_lapse(self, task_id: str) -> None:
        async with redis.asyncio.Redis.from_url(self.url) as client:
            await client.hset(f"{self.prefix}task:{task_id}", "until", 1)

    async def close(self) -> None:
        for guard in self.guards:
            await guard.stop()


@pytest.fixture(params=["fake", "redis"])
async def arena(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "fake":
        made: Any = FakeArena()
    else:
        brokers: RunningBrokers = request.getfixturevalue("brokers_stack")
        made = RedisArena(brokers.endpoints.redis_url)
    await made.open()
    yield made
    await made.close()


async def claimed(guard: Claims, attempt: int = 1, task_id: str = "t") -> Claim:
    answer = await guard.claim(task_id, attempt)
    assert isinstance(answer, Claimed), answer
    return answer.claim


async def test_first_claim(arena: Any) -> None:
    answer = await arena.guard("a").claim("t", 1)
    assert answer == Claimed(Claim("t", 1, Token(1, 1)), alone=False, deaths=0, takeover=False)
    assert answer.token == Token(1, 1)


@pytest.mark.parametrize("asked", [("b", 1), ("b", 2), ("a", 1), ("a", 2)])
async def test_held_while_the_lease_lives(arena: Any, asked: tuple[str, int]) -> None:
    await claimed(arena.guard("a"))
    answer = await arena.guard(asked[0]).claim("t", asked[1])
    assert isinstance(answer, Held)
    assert 0 < answer.retry_after_seconds <= LEASE_SECONDS


async def test_tasks_are_claimed_apart(arena: Any) -> None:
    await claimed(arena.guard("a"), task_id="t")
    await claimed(arena.guard("b"), task_id="u")


async def test_outcome_is_known_to_everybody_until_it_is_recorded(arena: Any) -> None:
    a, b = arena.guard("a"), arena.guard("b")
    claim = await claimed(a)
    assert await a.complete(claim, b"fact", succeeded=True)
    assert await b.claim("t", 1) == Known(claim, b"fact")
    assert await b.ended(claim)
    assert await a.claim("t", 1) == Known(claim, None)


async def test_unrecorded_success_is_told_to_a_higher_attempt(arena: Any) -> None:
    """The job of its own attempt may be gone: nobody else would ever record it."""
    a = arena.guard("a")
    claim = await claimed(a)
    await a.complete(claim, b"fact", succeeded=True)
    assert await a.claim("t", 2) == Known(claim, b"fact")


async def test_completed_task_supersedes_every_other_attempt(arena: Any) -> None:
    a = arena.guard("a")
    claim = await claimed(a, attempt=2)
    await a.complete(claim, b"fact", succeeded=True)
    await a.ended(claim)
    assert await a.claim("t", 1) == Superseded(2)
    assert await a.claim("t", 3) == Superseded(2)


@pytest.mark.parametrize("recorded", [True, False])
async def test_failed_attempt_makes_way_for_the_next(arena: Any, recorded: bool) -> None:
    a = arena.guard("a")
    claim = await claimed(a)
    await a.complete(claim, b"fact", succeeded=False)
    if recorded:
        await a.ended(claim)
    answer = await a.claim("t", 2)
    assert answer == Claimed(Claim("t", 2, Token(1, 2)), alone=False, deaths=0, takeover=False)
    assert await a.claim("t", 1) == Superseded(2)


async def test_requeued_attempt_is_not_superseded_by_a_success_that_came_too_late(arena: Any) -> None:
    """The task had been given up before the success was told, so it did not count; then somebody wanted another try."""
    a, b = arena.guard("a"), arena.guard("b")
    claim = await claimed(a, attempt=3)
    await a.complete(claim, b"fact", succeeded=True)
    assert await b.claim("t", 4, 4) == Known(claim, b"fact")
    await b.ended(claim)
    assert await b.claim("t", 4) == Superseded(3)
    assert await b.claim("t", 3, 1) == Known(claim, None)
    answer = await b.claim("t", 4, 4)
    assert answer == Claimed(Claim("t", 4, Token(1, 2)), alone=False, deaths=0, takeover=False)
    assert await a.claim("t", 3) == Superseded(4)
    assert await b.complete(answer.claim, b"second", succeeded=True)
    await b.ended(answer.claim)
    assert await a.claim("t", 5, 4) == Superseded(4)


async def test_requeued_attempt_waits_for_what_still_runs(arena: Any) -> None:
    await claimed(arena.guard("a"), attempt=3)
    assert isinstance(await arena.guard("b").claim("t", 4, 4), Held)


async def test_deaths_from_before_the_requeue_are_not_held_against_it(arena: Any) -> None:
    for number in range(1, 5):
        guard = arena.guard(f"w{number}")
        assert await guard.confirm(await claimed(guard))
        await arena.let_lapse("t")
    for number, deaths in enumerate([0, 1, 2], start=5):
        guard = arena.guard(f"w{number}")
        answer = await guard.claim("t", 2, 2)
        assert answer == Claimed(Claim("t", 2, Token(1, number)), alone=True, deaths=deaths, takeover=True)
        assert await guard.confirm(answer.claim)
        await arena.let_lapse("t")
    assert isinstance(await arena.guard("w8").claim("t", 2, 2), Doomed)


async def test_dead_claimant_is_followed_alone(arena: Any) -> None:
    await claimed(arena.guard("a"))
    await arena.let_lapse("t")
    answer = await arena.guard("b").claim("t", 1)
    assert answer == Claimed(Claim("t", 1, Token(1, 2)), alone=True, deaths=0, takeover=True)


async def test_death_of_a_worker_that_had_not_come_to_run_the_job_is_not_held_against_it(arena: Any) -> None:
    for number in range(1, 9):
        answer = await arena.guard(f"w{number}").claim("t", 1)
        assert answer == Claimed(Claim("t", 1, Token(1, number)), alone=number > 1, deaths=0, takeover=number > 1)
        await arena.let_lapse("t")


async def test_three_workers_dead_while_alone_doom_the_job(arena: Any) -> None:
    for number, deaths in enumerate([0, 0, 1, 2], start=1):
        guard = arena.guard(f"w{number}")
        answer = await guard.claim("t", 1)
        assert isinstance(answer, Claimed)
        assert (answer.alone, answer.deaths) == (number > 1, deaths)
        assert await guard.confirm(answer.claim)
        await arena.let_lapse("t")
    assert await arena.guard("w5").claim("t", 1) == Doomed(Claim("t", 1, Token(1, 5)), 3, started=True)


async def test_doomed_attempt_without_a_recorded_start_says_so(arena: Any) -> None:
    for number in range(1, 5):
        guard = arena.guard(f"w{number}")
        assert await guard.confirm(await claimed(guard))
        await arena.let_lapse("t")
    answer = await arena.guard("w5").claim("t", 2)
    assert answer == Doomed(Claim("t", 2, Token(1, 5)), 3, started=False)


async def test_worker_that_slept_past_its_lease_has_not_died(arena: Any) -> None:
    a = arena.guard("a")
    await claimed(a)
    await arena.let_lapse("t")
    answer = await a.claim("t", 1)
    assert answer == Claimed(Claim("t", 1, Token(1, 2)), alone=False, deaths=0, takeover=True)


async def test_released_claim_is_no_death(arena: Any) -> None:
    a = arena.guard("a")
    assert await a.release(await claimed(a))
    answer = await arena.guard("b").claim("t", 1)
    assert answer == Claimed(Claim("t", 1, Token(1, 2)), alone=False, deaths=0, takeover=False)


async def test_run_alone_and_handed_back_stays_alone(arena: Any) -> None:
    await claimed(arena.guard("a"))
    await arena.let_lapse("t")
    b = arena.guard("b")
    await b.release(await claimed(b))
    answer = await arena.guard("c").claim("t", 1)
    assert answer == Claimed(Claim("t", 1, Token(1, 3)), alone=True, deaths=0, takeover=False)


async def test_next_attempt_after_an_outcome_starts_with_a_clean_slate(arena: Any) -> None:
    await claimed(arena.guard("a"))
    await arena.let_lapse("t")
    b = arena.guard("b")
    await b.complete(await claimed(b), b"fact", succeeded=False)
    answer = await b.claim("t", 2)
    assert isinstance(answer, Claimed)
    assert not answer.alone


async def test_lower_attempt_is_refused(arena: Any) -> None:
    await claimed(arena.guard("a"), attempt=2)
    assert await arena.guard("b").claim("t", 1) == Superseded(2)


async def test_confirmed_only_while_the_lease_lives(arena: Any) -> None:
    a = arena.guard("a")
    claim = await claimed(a)
    assert await a.confirm(claim)
    await arena.let_lapse("t")
    assert not await a.confirm(claim)


async def test_zombie_is_refused_everything(arena: Any) -> None:
    zombie, b = arena.guard("a"), arena.guard("b")
    old = await claimed(zombie)
    await arena.let_lapse("t")
    new = await claimed(b)
    assert not await zombie.confirm(old)
    assert not await zombie.complete(old, b"late", succeeded=True)
    assert not await zombie.release(old)
    assert await b.confirm(new)
    assert await b.complete(new, b"fact", succeeded=False)
    assert await b.claim("t", 1) == Known(new, b"fact")


async def test_token_of_another_worker_is_no_use(arena: Any) -> None:
    claim = await claimed(arena.guard("a"))
    thief = arena.guard("b")
    assert not await thief.confirm(claim)
    assert not await thief.complete(claim, b"stolen", succeeded=True)
    assert not await thief.release(claim)


async def test_token_is_good_for_its_attempt_only(arena: Any) -> None:
    """After a flush the same worker may be given the same token for another attempt."""
    a = arena.guard("a")
    claim = await claimed(a)
    other = Claim("t", 2, claim.token)
    assert not await a.confirm(other)
    assert not await a.complete(other, b"fact", succeeded=True)
    assert not await a.release(other)
    assert await a.confirm(claim)


async def test_completing_twice_keeps_the_first_outcome(arena: Any) -> None:
    a = arena.guard("a")
    claim = await claimed(a)
    assert await a.complete(claim, b"first", succeeded=True)
    assert await a.complete(claim, b"second", succeeded=False)
    assert await a.claim("t", 1) == Known(claim, b"first")


async def test_released_claim_completes_nothing(arena: Any) -> None:
    a = arena.guard("a")
    claim = await claimed(a)
    await a.release(claim)
    assert not await a.complete(claim, b"fact", succeeded=True)
    assert not await a.confirm(claim)


async def test_nothing_ends_before_it_has_an_outcome(arena: Any) -> None:
    a = arena.guard("a")
    claim = await claimed(a)
    assert not await a.ended(claim)
    assert await a.confirm(claim)


Move = tuple[str, str, int]
moves = st.lists(
    st.tuples(
        st.sampled_from(["claim", "claim", "confirm", "succeed", "fail", "end", "release", "lapse"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(1, 3),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves)
async def test_fake_and_real_guard_tell_the_same_story(brokers_stack: RunningBrokers, moves: list[Move]) -> None:
    stories = []
    for arena in (FakeArena(), RedisArena(brokers_stack.endpoints.redis_url)):
        await arena.open()
        guards = {name: arena.guard(name) for name in "abc"}
        granted: dict[int, int] = {}
        stories.append([await _play(arena, guards, granted, move) for move in _with_claims(moves)])
        await arena.close()
    assert stories[0] == stories[1]


def _with_claims(moves: list[Move]) -> list[Move]:
    return [("claim", "a", 1), *moves]


async def _play(arena: Any, guards: dict[str, Any], granted: dict[int, int], move: Move) -> Any:
    """`granted`: which attempt each token was given for."""
    act, worker, number = move
    guard = guards[worker]
    if act == "lapse":
        await arena.let_lapse("t")
        return None
    if act == "claim":
        answer = await guard.claim("t", number)
        if isinstance(answer, Claimed):
            granted[answer.token.claim] = number
        return Held(0) if isinstance(answer, Held) else answer
    # `number` also chooses among the first tokens, so that stale ones are tried as well.
    claim = Claim("t", granted.get(number, number), Token(1, number))
    calls: dict[str, Callable[[], Awaitable[bool]]] = {
        "confirm": lambda: guard.confirm(claim),
        "succeed": lambda: guard.complete(claim, b"fact", succeeded=True),
        "fail": lambda: guard.complete(claim, b"fact", succeeded=False),
        "end": lambda: guard.ended(claim),
        "release": lambda: guard.release(claim),
    }
    return await calls[act]()
