"""Slots: so many at once, or one alone; first come, first served."""

import asyncio

import pytest

from streamapp.worker.slots import Slot, Slots


async def settled(*tasks: asyncio.Task[Slot]) -> list[bool]:
    """Which of `tasks` have got their slot, after everything that can happen has happened."""
    for _ in range(5):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


def wait_for(slots: Slots, *, alone: bool = False) -> asyncio.Task[Slot]:
    return asyncio.create_task(slots.take(alone=alone))


async def test_no_more_than_its_size() -> None:
    slots = Slots(2)
    first, second = await slots.take(), await slots.take()
    third = wait_for(slots)
    assert await settled(third) == [False]
    first.free()
    first.free()
    assert await settled(third) == [True]
    assert slots.taken == 2
    second.free()
    (await third).free()
    assert slots.taken == 0


async def test_alone_waits_for_all_and_nobody_joins() -> None:
    slots = Slots(5)
    running = [await slots.take(), await slots.take()]
    alone = wait_for(slots, alone=True)
    running[0].free()
    assert await settled(alone) == [False]
    running[1].free()
    assert await settled(alone) == [True]
    late = wait_for(slots)
    assert await settled(late) == [False]
    (await alone).free()
    assert await settled(late) == [True]


async def test_alone_is_not_starved_by_those_who_come_later() -> None:
    slots = Slots(2)
    running = await slots.take()
    alone, late = wait_for(slots, alone=True), wait_for(slots)
    assert await settled(alone, late) == [False, False]
    running.free()
    assert await settled(alone, late) == [True, False]


async def test_alone_goes_before_those_who_wait_already() -> None:
    """Any of them may be what kills workers, and it would be blamed for it."""
    slots = Slots(1)
    running = await slots.take()
    waiting = wait_for(slots)
    assert await settled(waiting) == [False]
    first, second = wait_for(slots, alone=True), wait_for(slots, alone=True)
    assert await settled(first, second) == [False, False]
    running.free()
    assert await settled(first, second, waiting) == [True, False, False]
    (await first).free()
    assert await settled(second, waiting) == [True, False]


async def test_abandoned_handler_keeps_its_slot_but_stops_no_lonely_run() -> None:
    slots = Slots(2)
    zombie = await slots.take()
    alone = wait_for(slots, alone=True)
    assert await settled(alone) == [False]
    zombie.abandon()
    assert await settled(alone) == [True]
    (await alone).free()
    first, second = wait_for(slots), wait_for(slots)
    assert await settled(first, second) == [True, False]
    zombie.free()
    assert await settled(second) == [True]


@pytest.mark.parametrize("granted", [True, False])
async def test_cancelled_waiter_leaves_no_trace(granted: bool) -> None:
    slots = Slots(1)
    running = await slots.take()
    waiter, next_one = wait_for(slots, alone=True), wait_for(slots)
    await settled(waiter)
    if granted:
        running.free()  # in the same instant as the cancellation
    waiter.cancel()
    assert await settled(waiter, next_one) == [True, granted]
    running.free()
    assert await settled(next_one) == [True]
    assert slots.taken == 1
