"""Jobs are prepared ahead of their slots only behind handlers that are quick."""

import asyncio

import pytest

from streamapp.worker.approach import MOST_AHEAD, Approach, Place

SIZE = 2


class SteppedClock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def approach(clock: SteppedClock) -> Approach:
    return Approach(SIZE, clock)


async def go_through(approach: Approach, clock: SteppedClock, preparing: float, running: float) -> None:
    place = await approach.take()
    clock.seconds += preparing
    place.ready()
    place.begin()
    clock.seconds += running
    place.free()


async def taken(approach: Approach) -> list[Place]:
    """As many places as there are now."""
    places = []
    while True:
        waiting = asyncio.create_task(approach.take())
        await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return places
        places.append(waiting.result())


async def test_nobody_is_prepared_ahead_before_anything_is_known(approach: Approach) -> None:
    assert len(await taken(approach)) == SIZE


async def test_quick_handlers_have_others_ready_behind_them(approach: Approach, clock: SteppedClock) -> None:
    await go_through(approach, clock, preparing=0.010, running=0.002)
    assert approach.ahead == 10
    assert len(await taken(approach)) == SIZE + 10


async def test_handlers_that_take_no_time_are_bounded(approach: Approach, clock: SteppedClock) -> None:
    await go_through(approach, clock, preparing=5, running=0)
    assert approach.ahead == MOST_AHEAD


async def test_slow_handlers_have_nobody_behind_them(approach: Approach, clock: SteppedClock) -> None:
    for _ in range(5):
        await go_through(approach, clock, preparing=0.010, running=2)
    assert len(await taken(approach)) == SIZE


async def test_one_slow_handler_stops_the_line(approach: Approach, clock: SteppedClock) -> None:
    await go_through(approach, clock, preparing=0.010, running=0.002)
    slow = await approach.take()
    slow.ready()
    slow.begin()
    clock.seconds += 1
    assert approach.ahead == 0
    assert len(await taken(approach)) == SIZE - 1


async def test_freed_place_is_given_to_the_next_and_only_once(approach: Approach) -> None:
    first, _ = await taken(approach)
    waiting = asyncio.create_task(approach.take())
    also_waiting = asyncio.create_task(approach.take())
    await asyncio.sleep(0)
    first.free()
    first.free()
    await asyncio.sleep(0)
    assert (waiting.done(), also_waiting.done()) == (True, False)
    also_waiting.cancel()
    await asyncio.gather(also_waiting, return_exceptions=True)


async def test_place_given_in_the_instant_of_a_cancellation_is_not_lost(approach: Approach) -> None:
    first, _ = await taken(approach)
    waiting = asyncio.create_task(approach.take())
    await asyncio.sleep(0)
    first.free()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(await taken(approach)) == 1
