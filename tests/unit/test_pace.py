"""Nobody waits while little comes; when more comes, turns are kept, and everybody in one turn goes together."""

import asyncio

from streamapp.pace import Pace, Turns

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
    assert await turns(Pace(Turns(TURN)), 4) >= 3 * TURN


async def test_little_waits_for_nothing() -> None:
    await asyncio.wait_for(turns(Pace(Turns(60, freely=1_000, fully=1_001)), 20), 10)


async def test_much_is_kept_to_turns() -> None:
    assert await turns(Pace(Turns(TURN, freely=1_000, fully=1_500)), 3, pieces=500) >= 2 * TURN


async def test_after_much_there_is_an_allowance_again() -> None:
    pace = Pace(Turns(60, freely=1_000, fully=1_001))
    await turns(pace, 1, pieces=500)
    await asyncio.sleep(0.3)
    await asyncio.wait_for(turns(pace, 5), 10)


async def test_whoever_asks_in_one_turn_gets_the_same_one() -> None:
    pace = Pace(Turns(60))
    await asyncio.wait_for(asyncio.gather(*(pace.turn() for _ in range(5))), 10)


def test_turns_grow_with_what_comes() -> None:
    turns = Turns(0.02, freely=0, fully=1_000_000, shortest=0.005)
    assert turns.seconds == 0.005
    turns.came(200_000)
    assert 0.005 < turns.seconds < 0.02
    turns.came(10_000_000)
    assert turns.seconds == 0.02
