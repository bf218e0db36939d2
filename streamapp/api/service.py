"""The api as a service: composed of its parts, served until SIGTERM, which finishes the requests in flight."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable

import uuid_utils
from aiohttp import web

from streamapp import composition, event_loop, telemetry
from streamapp.api import counting, traced
from streamapp.api.connections import Runner
from streamapp.api.cors import CrossOrigin
from streamapp.api.description import Description
from streamapp.api.draining import IN_FLIGHT, InFlight
from streamapp.api.errors import answer_problems
from streamapp.api.health import Health
from streamapp.api.reading import read_traceparent
from streamapp.api.reception import Reception
from streamapp.api.requeues import Requeues
from streamapp.api.tasks import Tasks
from streamapp.clock import Clock, SystemClock, rfc3339
from streamapp.domain.errors import ConfigurationError
from streamapp.metrics import Metrics
from streamapp.metrics.api import ApiMetrics
from streamapp.metrics.exposition import add_route
from streamapp.producer import FactLog
from streamapp.settings import Settings, load
from streamapp.tasktypes import Registry
from streamapp.telemetry import get_log
from streamapp.tracing import OFF, Tracing
from streamapp.wire.scribe import Scribe

ROLE = "api"

log = get_log("streamapp.api")


def build(
    settings: Settings,
    registry: Registry,
    facts: FactLog,
    clock: Clock,
    new_task_id: Callable[[], str] = lambda: str(uuid_utils.uuid7()),
    *,
    measured: Metrics | None = None,
    tracing: Tracing = OFF,
) -> web.Application:
    """The application. `facts` and `tracing` must be started and stopped by the caller."""
    api = settings.api
    scribe = Scribe(ROLE, settings.instance, lambda: rfc3339(clock.now_ms()))
    measured = measured or Metrics()
    metrics = ApiMetrics(measured)
    reception = Reception(
        registry,
        facts,
        scribe,
        new_task_id,
        allow_unregistered_types=api.allow_unregistered_types,
        append_timeout_seconds=api.append_timeout_seconds,
        retry_after_seconds=api.retry_after_seconds,
        metrics=metrics,
    )
    tasks = Tasks(settings, reception, traced.trace_of if tracing.on else read_traceparent)
    requeues = Requeues(settings, facts, scribe, new_task_id)
    health = Health(facts, api.retry_after_seconds)
    description = Description(settings, registry)
    in_flight = InFlight()
    tracers = [traced.middleware(tracing)] if tracing.on else []
    origins = CrossOrigin(settings.dashboard_origins)
    outer = [counting.middleware(metrics), in_flight.middleware, *tracers]
    middlewares = [*outer, origins.middleware, answer_problems]
    application = web.Application(middlewares=middlewares, client_max_size=api.max_body_bytes)
    application[IN_FLIGHT] = in_flight
    application.router.add_post("/v1/tasks", tasks.submit)
    application.router.add_post("/v1/tasks:batch", tasks.submit_batch)
    application.router.add_get("/v1/tasks/{task_id}", tasks.look_up)
    application.router.add_post("/v1/requeues", requeues.requeue)
    application.router.add_get("/livez", health.live)
    application.router.add_get("/readyz", health.ready)
    application.router.add_get("/openapi.json", description.openapi)
    application.router.add_get("/", description.index)
    add_route(application.router, measured)
    return application


def runner(application: web.Application) -> web.AppRunner:
    """What serves the application: no access log, and no decompression of anything."""
    return Runner(application, access_log=None, auto_decompress=False, shutdown_timeout=1)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT: then stop accepting, finish the requests in flight, and return.

    Raises:
        ConfigurationError: the task types of the settings cannot be used, or the address is taken.
    """
    composition.arm_failpoints(settings)
    registry = composition.registry(settings)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with contextlib.AsyncExitStack() as ending:
        around = await ending.enter_async_context(composition.surroundings(settings, ROLE))
        facts = around.facts
        application = build(
            settings, registry, facts, SystemClock(), measured=around.vitals.metrics, tracing=around.tracing
        )
        serving = runner(application)
        await serving.setup()
        ending.push_async_callback(serving.cleanup)
        site = await _listen(serving, settings)
        log.info("api listens", host=settings.api.host, port=settings.api.port, ready=facts.available)
        await stopped.wait()
        log.info("api stops: finishing the requests in flight")
        await site.stop()
        await application[IN_FLIGHT].drained(settings.api.read_timeout_seconds + settings.api.append_timeout_seconds)
    log.info("api stopped")


async def _listen(serving: web.AppRunner, settings: Settings) -> web.TCPSite:
    host, port = settings.api.host, settings.api.port
    site = web.TCPSite(serving, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        raise ConfigurationError(
            f"the api cannot listen on {host}:{port}: {error.strerror}; see STREAMAPP_API__HOST and __PORT"
        ) from error
    return site


def main() -> int:
    """Serve with the settings of the environment. Exit code: 0 after SIGTERM, 2 if the settings are no use."""
    try:
        loaded = load()
        telemetry.configure(loaded.log.format, loaded.log.level, role=ROLE, instance=loaded.instance)
        event_loop.run(serve(loaded))
    except ConfigurationError as error:
        print(f"streamapp {ROLE}: {error}", file=sys.stderr)
        return 2
    return 0
