"""The one place where exceptions become answers: every error of the api is a problem document."""

from aiohttp import web
from aiohttp.typedefs import Handler

from streamapp.api.counting import route_of
from streamapp.api.problems import Problem
from streamapp.telemetry import get_log

log = get_log("streamapp.api")


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a raised problem, aiohttp's own errors, and faults of streamapp, which are logged without the request."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.answer()
    except web.HTTPException as error:
        return _translate(error).answer()
    except Exception:
        log.exception("a request failed", method=request.method, route=route_of(request))
        return Problem("internal-error", "it is in the log of the api; submit again with the same key").answer()


def _translate(error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem("method-not-allowed", f"allowed: {allowed}", headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        return Problem("not-found", "see / for what there is")
    return Problem("http-error", error.reason, status=error.status)
