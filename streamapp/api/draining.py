"""Requests in flight, so that a stop can wait for them.

aiohttp drops whatever arrives once it shuts down, the rest of a body included. So the api stops listening first, then
lets every request that has begun come to its end here, and only then shuts aiohttp down.
"""

import asyncio
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler


class InFlight:
    """Counts requests, and tells connections to close once draining has begun."""

    def __init__(self) -> None:
        self._count = 0
        self._draining = False
        self._idle = asyncio.Event()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count the request; while draining, its answer is the last one on its connection."""
        self._count += 1
        try:
            response = await handler(request)
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()
        if self._draining:
            response.force_close()
        return response

    async def drained(self, timeout_seconds: float) -> None:
        """Wait until no request is in flight, for at most `timeout_seconds`."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self._count:
                    self._idle.clear()
                    await self._idle.wait()


IN_FLIGHT = web.AppKey("in_flight", InFlight)
