"""Handlers that no worker deserves. Each run leaves a line when it begins, and a line if its effect is made."""

import asyncio
import os
import resource
import signal
import time

from streamapp.handlers import Context, handles
from tests.faults.load.ledger import note, runs_of
from tests.faults.load.types import (
    BLOCKING,
    DEADLY,
    DEADLY_ONCE,
    GREEDY,
    LATE,
    LEAVING,
    LOUD,
    ONCE,
    STUBBORN,
    Payload,
)

MEBIBYTE = 1024 * 1024
ROOM_BYTES = 256 * MEBIBYTE
DYING_SECONDS = 1.0
STUBBORN_SECONDS = 10.0
BLOCKED_SECONDS = 2 * ONCE.timeout_seconds
MEGABYTE_OF_COMPLAINT = "no " * 350_000


@handles(DEADLY)
async def die(params: Payload, context: Context) -> None:
    """Take the worker along, and whatever it has begun by then."""
    note(context, "begin")
    await asyncio.sleep(DYING_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


@handles(DEADLY_ONCE)
async def die_once(params: Payload, context: Context) -> None:
    """End the process without a farewell, the first time; make the effect the second time."""
    note(context, "begin")
    if runs_of(context) == 1:
        os._exit(3)
    note(context, "end")


@handles(LEAVING)
async def leave(params: Payload, context: Context) -> None:
    """Ask the process to end."""
    note(context, "begin")
    raise SystemExit(4)


@handles(GREEDY)
async def eat(params: Payload, context: Context) -> None:
    """Take memory until there is none, as in a container with a limit."""
    note(context, "begin")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + ROOM_BYTES, hard))
    eaten = []
    try:
        while True:
            eaten.append(bytearray(16 * MEBIBYTE))
    finally:
        eaten.clear()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@handles(LATE)
async def come_late(params: Payload, context: Context) -> None:
    """Run much longer than it may."""
    note(context, "begin")
    await asyncio.sleep(600)


@handles(STUBBORN)
async def stay(params: Payload, context: Context) -> None:
    """Ignore the cancellation for longer than the grace."""
    note(context, "begin")
    end = time.monotonic() + STUBBORN_SECONDS
    while time.monotonic() < end:
        try:
            await asyncio.sleep(0.5)
        except asyncio.CancelledError:
            context.log.info("not I")


@handles(BLOCKING)
async def block(params: Payload, context: Context) -> None:
    """Give nobody else the event loop."""
    note(context, "begin")
    time.sleep(BLOCKED_SECONDS)
    note(context, "end")


class LoudError(Exception):
    """Carries something that cannot be pickled."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.answer = lambda: message


@handles(LOUD)
async def shout(params: Payload, context: Context) -> None:
    """Complain at length."""
    note(context, "begin")
    raise LoudError(MEGABYTE_OF_COMPLAINT)


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
