"""Slots for running handlers: so many at once, or one quite alone.

First come, first served, but a run that must be alone is the next one: it waits for those that run and for nobody else.
A handler that ignores its cancellation keeps its slot, but no longer stands in the way of a run that must be alone,
or that one might never come.
"""

import asyncio
from collections import deque
from dataclasses import dataclass


class Slot:
    """Leave to run one handler, until it is freed."""

    def __init__(self, slots: "Slots", alone: bool) -> None:
        self._slots = slots
        self.alone = alone
        self.abandoned = False
        self.freed = False

    def free(self) -> None:
        """The handler has ended. A second time changes nothing."""
        if not self.freed:
            self.freed = True
            self._slots.give_back(self)

    def abandon(self) -> None:
        """The handler goes on though nobody waits for it any more."""
        self.abandoned = True
        self._slots.admit()


@dataclass(slots=True)
class _Waiter:
    alone: bool
    turn: asyncio.Future[Slot]


class Slots:
    """At most `size` handlers at once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: set[Slot] = set()
        self._queue: deque[_Waiter] = deque()

    @property
    def taken(self) -> int:
        """Slots in use."""
        return len(self._taken)

    async def take(self, *, alone: bool = False) -> Slot:
        """Wait for a slot; with `alone` for one beside which no other handler runs."""
        waiter = _Waiter(alone, asyncio.get_running_loop().create_future())
        self._queue.insert(sum(other.alone for other in self._queue) if alone else len(self._queue), waiter)
        self.admit()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            # Race: the turn may have come in the same instant as the cancellation; then it is given back unused.
            if waiter.turn.done() and not waiter.turn.cancelled():
                waiter.turn.result().free()
            else:
                self._queue.remove(waiter)
                self.admit()
            raise

    def give_back(self, slot: Slot) -> None:
        """Called by the slot itself."""
        self._taken.discard(slot)
        self.admit()

    def admit(self) -> None:
        """Let in whoever is first, as long as there is room."""
        while self._queue and self._has_room(self._queue[0].alone):
            waiter = self._queue.popleft()
            if not waiter.turn.done():
                slot = Slot(self, waiter.alone)
                self._taken.add(slot)
                waiter.turn.set_result(slot)

    def _has_room(self, alone: bool) -> bool:
        if len(self._taken) >= self._size:
            return False
        running = [slot for slot in self._taken if not slot.abandoned]
        return not running if alone else not any(slot.alone for slot in running)
