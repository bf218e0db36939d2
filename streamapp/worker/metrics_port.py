"""`/metrics` of a worker, on a port of its own, if the settings give it one: a worker has no other.

In: scrapes. Out: the metrics of this process. Listens on loopback unless the settings say otherwise.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from streamapp.domain.errors import ConfigurationError
from streamapp.metrics import Metrics
from streamapp.metrics.exposition import add_route
from streamapp.settings import WorkerSettings, variable
from streamapp.telemetry import get_log

log = get_log(__name__)


@asynccontextmanager
async def serving(settings: WorkerSettings, metrics: Metrics) -> AsyncIterator[None]:
    """Answer scrapes meanwhile.

    Raises:
        ConfigurationError: the address is taken.
    """
    if settings.metrics_port is None:
        yield
        return
    application = web.Application()
    add_route(application.router, metrics)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await _listen(runner, settings.metrics_host, settings.metrics_port)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        names = f"{variable('worker', 'metrics_host')} and {variable('worker', 'metrics_port')}"
        raise ConfigurationError(
            f"the worker cannot serve its metrics on {host}:{port}: {error.strerror}; see {names}. Workers on one "
            "machine need a port each"
        ) from error
    log.info("metrics are served", host=host, port=port)
