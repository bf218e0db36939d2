"""Which pages of other origins may call the api: those of the dashboard, and nobody else's.

The dashboard is served by the diary, so its browser asks here from another origin. In: requests with an Origin. Out:
headers of the CORS protocol (https://fetch.spec.whatwg.org/#http-cors-protocol) for the origins of the settings. A page
of any other origin gets none, and because the api reads nothing but `application/json` it can send nothing either.
"""

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler

from streamapp.api.reading import IDEMPOTENCY_KEY, TRACEPARENT

PREFIX = "/v1/"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": f"Content-Type, {IDEMPOTENCY_KEY}, {TRACEPARENT}",
    "Access-Control-Max-Age": "600",
}
EXPOSED = "Location, Retry-After"


class CrossOrigin:
    """Lets pages of `origins` (scheme, host and port, as browsers write them) call everything under `/v1/`."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a preflight of such a page; mark every other answer to it as readable."""
        origin = request.headers.get("Origin")
        if origin is None or not request.path.startswith(PREFIX):
            return await handler(request)
        if origin not in self._origins:
            response = await handler(request)
            response.headers.add("Vary", "Origin")
            return response
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = web.Response(status=204, headers=PREFLIGHT)
        else:
            response = await handler(request)
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.add("Vary", "Origin")
        return response
