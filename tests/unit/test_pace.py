"""Nobody waits while little comes; when more comes, turns are kept, and everybody in one turn goes together."""

import asyncio

from streamapp.pace import Pace

TURN = 0.05


async def turns(pace: Pace, count: int, pieces: int = 1) -> float:
    """How long so many turns take."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(count):
        pace.came(pieces)
        await pace.turn()
        await asyncio.sleep(0)
    return loop.time() - begun


async def test_turns_are_kept_without_an_allowance() -> None:
    assert await turns(Pace(TURN), 4) >= 3 * TURN


async def test_little_waits_for_nothing() -> None:
    await asyncio.wait_for(turns(Pace(60, freely=1_000), 20), 10)


async def test_much_is_kept_to_turns() -> None:
    assert await turns(Pace(TURN, freely=1_000), 3, pieces=500) >= 2 * TURN


async def test_after_much_there_is_an_allowance_again() -> None:
    pace = Pace(60, freely=1_000)
    await turns(pace, 1, pieces=500)
    await asyncio.sleep(0.25)
    await asyncio.wait_for(turns(pace, 5), 10)


async def test_whoever_asks_in_one_turn_gets_the_same_one() -> None:
    pace = Pace(60)
    await asyncio.wait_for(asyncio.gather(*(pace.turn() for _ in range(5))), 10)
