"""Every request counted, by route and status. In: requests. Out: their answers, unchanged."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streamapp.metrics.api import ApiMetrics

ABORTED = 499
"""Counted where the client has gone before its answer was ready."""


def middleware(metrics: ApiMetrics) -> Middleware:
    """Counts. To be the outermost: it has to see the answer as it goes out."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        begun = metrics.now()
        metrics.in_flight += 1
        status = ABORTED
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            metrics.in_flight -= 1
            metrics.answered(request.method, route_of(request), status, metrics.now() - begun)

    return count


def route_of(request: web.Request) -> str:
    """The pattern of the request's path: one of the application's own, or `none`."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
