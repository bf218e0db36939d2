"""A lost connection told from a cancellation.

aiormq raises CancelledError in whoever waits on a connection that dies, which `except Exception` does not catch
(`reliability.md`, E3). Only `Task.cancelling` tells it from somebody cancelling the task.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamapp.domain.errors import StreamappError


class ConnectionLost(StreamappError):
    """The connection or channel died while something waited on it."""


@contextmanager
def loss_is_an_error() -> Iterator[None]:
    """Inside, a CancelledError that nobody asked for becomes ConnectionLost; a real cancellation passes.

    A cancellation is always delivered at the await it interrupts, so one that was requested before the block began
    cannot arrive inside it: a count that has grown inside is a request that belongs to this await.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > before:
            raise
        raise ConnectionLost("the connection to RabbitMQ was lost") from error


async def happens(event: asyncio.Event, closing: asyncio.Future[Any], *, timeout_seconds: float | None = None) -> None:
    """Wait for `event` or for the end of a channel (its `closing`), at most `timeout_seconds`."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({closing, waiting}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})
