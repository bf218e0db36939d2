"""Opens what handlers share, once per worker, and closes it in reverse order.

A handler module may open resources of its own: it defines `lifespan`, an async context manager that is given the
Environment, and finds what it yields as `context.resource`:

    @asynccontextmanager
    async def lifespan(environment: Environment) -> AsyncIterator[Pool]:
        async with connect(...) as pool:
            yield pool
"""

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from aiohttp import ClientSession, DummyCookieJar

from streamapp.clock import Clock, SystemClock
from streamapp.domain.errors import ConfigurationError
from streamapp.handlers.bind import Handlers, Lifespan
from streamapp.handlers.context import Environment
from streamapp.settings import Settings
from streamapp.telemetry import describe

THREADS_PER_HANDLER = 2
"""A plain function cannot be interrupted: one past its timeout keeps its thread, and the next must still find one."""


@asynccontextmanager
async def open_environment(
    settings: Settings, handlers: Handlers, *, clock: Clock | None = None
) -> AsyncIterator[Environment]:
    """The environment of a worker's handlers, for as long as the block runs.

    Raises:
        ConfigurationError: the `lifespan` of a handler module failed; names the module.
    """
    threads = ThreadPoolExecutor(THREADS_PER_HANDLER * settings.worker.concurrency, thread_name_prefix="handler")
    try:
        async with AsyncExitStack() as stack:
            # One task's cookies are no business of another's.
            http = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
            environment = Environment(settings.smtp, settings.webhook, http, threads, clock or SystemClock())
            yield replace(environment, resources=await _open(stack, environment, handlers.lifespans))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


async def _open(stack: AsyncExitStack, environment: Environment, lifespans: Mapping[str, Lifespan]) -> dict[str, Any]:
    resources = {}
    for module, lifespan in lifespans.items():
        try:
            resources[module] = await stack.enter_async_context(lifespan(environment))
        except Exception as error:
            raise ConfigurationError(f"the lifespan of {module} failed: {describe(error)}") from error
    return resources
