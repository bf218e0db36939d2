"""Handlers of the worker's tests: they leave a mark per run in a directory and end when the test says so."""

import asyncio
import os
import signal
import time
from pathlib import Path

from streamapp.handlers import Context, handles
from tests.support.worker_types import BLOCK, DIE, HOLD, Held

POLL_SECONDS = 0.02


def _mark(params: Held, context: Context, what: str) -> None:
    name = f"{what}-{context.task_id}-{context.attempt}-{os.getpid()}-{time.monotonic_ns()}"
    (Path(params.directory) / name).touch()


@handles(HOLD)
async def hold(params: Held, context: Context) -> dict[str, str]:
    """Wait for the file `go`."""
    _mark(params, context, "begun")
    while not (Path(params.directory) / "go").exists():
        await asyncio.sleep(POLL_SECONDS)
    _mark(params, context, "done")
    return {"held": context.task_id}


@handles(BLOCK)
async def block(params: Held, context: Context) -> dict[str, str]:
    """Wait for the file `go` without letting the event loop run."""
    _mark(params, context, "begun")
    while not (Path(params.directory) / "go").exists():
        time.sleep(POLL_SECONDS)
    _mark(params, context, "done")
    return {"blocked": context.task_id}


@handles(DIE)
async def die(params: Held, context: Context) -> None:
    """Take the worker along."""
    _mark(params, context, "begun")
    os.kill(os.getpid(), signal.SIGKILL)
