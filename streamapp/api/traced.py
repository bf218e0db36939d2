"""Every submission over HTTP as a span; there only while traces are wanted.

In: requests, with the caller's traceparent. Out: the same requests, in which `trace_of` finds the place of this span.
"""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streamapp.api.reading import read_traceparent
from streamapp.tracing import Kind, Tracing

TRACED = web.RequestKey("traced", str)


def trace_of(request: web.Request) -> str | None:
    """The place of the request's span; without one the caller's."""
    return request.get(TRACED) or read_traceparent(request)


def middleware(tracing: Tracing) -> Middleware:
    """Makes the spans: of POST requests to a route there is, not of health and documents."""

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if request.method != "POST" or resource is None:
            return await handler(request)
        route = resource.canonical
        span = tracing.begin(
            f"POST {route}",
            Kind.SERVER,
            parent=read_traceparent(request),
            attributes={"http.request.method": "POST", "http.route": route},
        )
        request[TRACED] = span.traceparent
        try:
            response = await handler(request)
            span.note({"http.response.status_code": response.status})
            if response.status >= 500:
                span.fail(str(response.status))
            return response
        finally:
            span.end()

    return trace
