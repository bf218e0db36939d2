"""Doors that a StreamApp opens when it starts and closes last."""

from typing import Protocol

from streamapp.stream.resident import Resident


class Door(Protocol):
    """Something with a connection."""

    async def start(self) -> None:
        """Open."""

    async def stop(self) -> None:
        """Close."""


class Doors(Resident):
    """Opens and closes doors with the app. Rebalances are nothing to them."""

    def __init__(self, *doors: Door) -> None:
        self._doors = doors

    async def start(self) -> None:
        """Open all."""
        for door in self._doors:
            await door.start()

    async def stop(self) -> None:
        """Close all, last opened first."""
        for door in reversed(self._doors):
            await door.stop()
