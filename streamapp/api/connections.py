"""What is said to bytes that are no HTTP request: a problem document, like to anything else, and a line in the log.

aiohttp's own answer quotes what it could not read, and so does its log, with a traceback: payloads included. In: a
connection. Out: answers that quote nothing. Overrides private methods of aiohttp.
"""

from aiohttp import web

from streamapp.api.problems import Problem
from streamapp.telemetry import get_log

log = get_log("streamapp.api")


class Connection(web.RequestHandler):
    """One connection of a client."""

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent; a body that has become unreadable is an error of whoever reads it.

        aiohttp queues such an error behind the request, which goes on waiting for the rest of its body.
        """
        queued = len(self._messages)
        super().data_received(data)
        reading = self._current_request
        # Nothing follows a body that has not ended: what has been queued meanwhile is the error.
        if reading is not None and len(self._messages) > queued and not reading.content.is_eof():
            reading.content.set_exception(web.RequestPayloadError("its chunks cannot be read"))
            reading.content.feed_eof()
            self.close()  # once it is answered: nobody knows where the next request would begin

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never reached the application, and close.

        Raises:
            ConnectionError: an answer has begun already.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if status < 500:
            log.info("not an HTTP request", reason=type(exc).__name__)
            problem = Problem("malformed-request", "it is no HTTP request; the connection is closed")
        else:
            log.error("a request failed outside of the application", reason=type(exc).__name__)
            problem = Problem("internal-error", "submit again with the same key")
        answer = problem.answer()
        answer.force_close()
        return answer


class Server(web.Server):
    """Makes such connections."""

    def __call__(self) -> Connection:
        """One of them."""
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application on such connections."""

    async def _make_server(self) -> web.Server:
        usual = await super()._make_server()
        return Server(usual.request_handler, request_factory=usual.request_factory, loop=usual._loop, **usual._kwargs)
