"""The worker's process: opens the doors, serves until a signal, hands back what is left.

SIGTERM or SIGINT: take nothing more, let handlers end, hand back the rest. A second one: hand back at once.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any

from streamapp import composition, event_loop, telemetry
from streamapp.clock import SystemClock
from streamapp.domain.errors import ConfigurationError
from streamapp.handlers import open_environment
from streamapp.handlers.shipped import load as load_handlers
from streamapp.settings import Settings, load
from streamapp.telemetry import Log, describe, get_log
from streamapp.worker.assembly import Parts, assemble, new_worker_id
from streamapp.worker.metrics_port import serving
from streamapp.worker.signals import Signals
from streamapp.worker.startup import check, queues_of

OK, NEEDS_A_PERSON = 0, 2


async def serve(settings: Settings) -> int:
    """Serve until a signal. Returns the exit code: 0, or 2 when only a person can help (the log says how).

    Raises:
        ConfigurationError: a setting with which a worker would not be safe.
    """
    composition.arm_failpoints(settings)
    clock = SystemClock()
    registry = composition.registry(settings)
    check(settings, registry)
    handlers = load_handlers(settings, registry)
    worker_id = new_worker_id(settings.instance)
    log = get_log(__name__, worker=worker_id)
    with Signals().installed() as signals:
        async with (
            open_environment(settings, handlers, clock=clock) as environment,
            composition.surroundings(settings, "worker") as around,
            serving(settings.worker, around.vitals.metrics),
        ):
            parts = assemble(
                settings,
                id=worker_id,
                registry=registry,
                handlers=handlers,
                environment=environment,
                around=around,
                clock=clock,
            )
            try:
                log.info("worker started", queues=queues_of(settings), concurrency=settings.worker.concurrency)
                code = await _work(parts, signals, log)
                log.info("stopping: no more jobs are taken", in_hand=parts.worker.held)
                parts.consumer.stop_taking()
                await parts.worker.stop(settings.worker.shutdown_grace_seconds, signals.hurry)
            finally:
                await parts.consumer.close()
                await parts.guard.stop()
    log.info("worker stopped")
    return code


async def _work(parts: Parts, signals: Signals, log: Log) -> int:
    """Take jobs until a signal, once the guard may be trusted."""
    stop = asyncio.create_task(signals.stop.wait())
    try:
        await _unless(stop, parts.patience.insist(parts.guard.start))
        if not stop.done():
            await parts.consumer.start()
            await _unless(stop, parts.consumer.wait_connected())
        await stop
    except ConfigurationError as error:
        log.error("the worker cannot serve", error=describe(error))
        return NEEDS_A_PERSON
    finally:
        stop.cancel()
    return OK


async def _unless(stop: asyncio.Task[Any], waiting: Coroutine[Any, Any, None]) -> None:
    """Wait for `waiting`, or give it up when `stop` is done first."""
    task = asyncio.create_task(waiting)
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    else:
        task.cancel()
        await asyncio.wait({task})


def main() -> None:
    """Run one worker process until it is told to stop; exits with 0, or 2 when only a person can help."""
    try:
        settings = load()
        telemetry.configure(settings.log.format, settings.log.level, role="worker", instance=settings.instance)
        code = event_loop.run(serve(settings))
    except ConfigurationError as error:
        sys.stderr.write(f"worker: {error}\n")
        code = NEEDS_A_PERSON
    logging.shutdown()
    sys.stdout.flush()
    # A plain function past its timeout still has its thread, for which Python would wait for ever.
    os._exit(code)


if __name__ == "__main__":
    main()
