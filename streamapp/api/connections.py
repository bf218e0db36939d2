"""What is said to bytes that are no HTTP request: a problem document, like to anything else, and a line in the log.

aiohttp's own answer quotes what it could not read, and so does its log, with a traceback: payloads included. In: a
connection. Out: answers that quote nothing. Overrides private methods of aiohttp.
"""

from itertools import islice

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from streamapp.api.problems import Problem
from streamapp.telemetry import get_log

log = get_log("streamapp.api")


class Connection(web.RequestHandler):
    """One connection of a client.

    `unreadable` is the body that broke off: what has been read of it is not all.
    """

    unreadable: StreamReader | None = None
    _arriving: StreamReader = EMPTY_PAYLOAD

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent. A body whose chunks cannot be read ends here, for whoever reads it.

        aiohttp queues the error behind the request, which would go on waiting for the rest of its body.
        """
        queued = len(self._messages)
        super().data_received(data)
        for message, body in islice(self._messages, queued, None):
            if isinstance(message, RawRequestMessage):
                self._arriving = body
            elif not self._arriving.is_eof():
                self._break_off(self._arriving)

    def _break_off(self, body: StreamReader) -> None:
        self.unreadable = body
        body.feed_eof()
        waits_behind_another = self._request_in_progress and any(queued is body for _, queued in self._messages)
        if not waits_behind_another:
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


def broke_off(request: web.Request) -> bool:
    """Whether the body has ended where it should not have."""
    connection = request.protocol
    return isinstance(connection, Connection) and connection.unreadable is request.content


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
