"""One connection to RabbitMQ that comes back by itself.

In: an AMQP URL and a coroutine that uses a connection until it is of no more use. Out: that coroutine runs again and
again on new connections. aio-pika's robust connection is not used: it replays channels and consumers of its own accord
and has stayed up consuming nothing (aio-pika 231, 563, 632).
"""

import asyncio
from collections.abc import Awaitable, Callable

import aio_pika
from aio_pika.abc import AbstractConnection
from yarl import URL

from streamapp.clock import Clock
from streamapp.domain.errors import ConfigurationError
from streamapp.queue.loss import ConnectionLost, loss_is_an_error
from streamapp.queue.properties import be_tolerant
from streamapp.telemetry import Log, describe

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 2.0
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0
CANCEL_SECONDS = 3.0

Serve = Callable[[AbstractConnection], Awaitable[None]]

be_tolerant()


async def open_connection(rabbitmq_url: str, *, client_name: str, heartbeat_seconds: int = 10) -> AbstractConnection:
    """A new connection, or an exception of aiormq, asyncio or the socket within CONNECT_SECONDS.

    `client_name` is what RabbitMQ's own tools show for the connection.
    """
    url = URL(rabbitmq_url).update_query(heartbeat=str(heartbeat_seconds), name=client_name)
    with loss_is_an_error():
        async with asyncio.timeout(CONNECT_SECONDS):
            return await aio_pika.connect(url)


async def close_connection(connection: AbstractConnection) -> None:
    """Close within CLOSE_SECONDS; what takes longer (a broker that hangs) ends by itself in the background."""
    closing = asyncio.ensure_future(connection.close())
    closing.add_done_callback(_read_exception)
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    await asyncio.wait({closing}, timeout=CLOSE_SECONDS)


_closing: set[asyncio.Future[None]] = set()


def _read_exception(closing: asyncio.Future[None]) -> None:
    if not closing.cancelled():
        closing.exception()


class Link:
    """Runs `serve` on a connection for as long as both live, then on the next one.

    Args:
        serve: uses the connection; returns or raises when it is of no more use.
        client_name: shown by RabbitMQ's tools.
        heartbeat_seconds: AMQP heartbeat.
        clock: for the waits between two tries, from FIRST_DELAY_SECONDS doubling to LONGEST_DELAY_SECONDS.
    """

    def __init__(
        self, rabbitmq_url: str, serve: Serve, *, client_name: str, heartbeat_seconds: int, clock: Clock, log: Log
    ) -> None:
        self._url = rabbitmq_url
        self._serve = serve
        self._client_name = client_name
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._log = log.bind(client=client_name)
        self._task: asyncio.Task[None] | None = None
        self._delay = FIRST_DELAY_SECONDS
        self._troubled = False
        self._refusal: ConfigurationError | None = None
        self._news = asyncio.Event()
        self.working = False
        """Whether `serve` has a connection that is of use."""

    def start(self) -> None:
        """Begin to connect; returns at once. Does nothing if it was started before."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"rabbitmq-{self._client_name}")

    async def close(self) -> None:
        """Close the connection and stop connecting."""
        task, self._task = self._task, None
        while task is not None and not task.done():
            # Race: aiormq waits with asyncio.wait_for, which until Python 3.12 swallows a cancellation that arrives
            # together with the answer. So one cancellation may not be enough.
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_SECONDS)

    async def wait_working(self) -> None:
        """Wait until `working`, for as long as it takes.

        Raises:
            ConfigurationError: only a person can help; Link goes on trying meanwhile.
        """
        while not self.working:
            if self._refusal is not None:
                raise self._refusal
            await self._news.wait()

    def works(self) -> None:
        """To be called by `serve` once the connection is of use: ends the trouble, if there was some."""
        self._log.info("✓ RabbitMQ connected again" if self._troubled else "✓ RabbitMQ connected")
        self._delay = FIRST_DELAY_SECONDS
        self._troubled = False
        self._tell(working=True, refusal=None)

    async def _run(self) -> None:
        while True:
            refusal = None
            try:
                await self._once()
            except ConfigurationError as error:
                self._report(error, loudly=str(error) != str(self._refusal))
                refusal = error
            except Exception as error:  # aiormq rejects its futures with anything, bare Exception included
                self._report(error)
            finally:
                self._tell(working=False, refusal=refusal)
            delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY_SECONDS)
            await self._clock.sleep(delay)

    async def _once(self) -> None:
        connection = await open_connection(
            self._url, client_name=self._client_name, heartbeat_seconds=self._heartbeat_seconds
        )
        try:
            with loss_is_an_error():
                await self._serve(connection)
            raise ConnectionLost("the connection to RabbitMQ was lost")
        finally:
            await close_connection(connection)

    def _tell(self, *, working: bool, refusal: ConfigurationError | None) -> None:
        self.working, self._refusal = working, refusal
        self._news.set()
        self._news = asyncio.Event()

    def _report(self, error: Exception, *, loudly: bool = False) -> None:
        """Once per trouble for everybody, then only for those who look for detail."""
        if loudly:
            self._log.error("RabbitMQ cannot be used as it is", error=describe(error))
        elif not self._troubled:
            what = "lost the connection to" if isinstance(error, ConnectionLost) else "cannot reach"
            self._log.warning(f"{what} RabbitMQ; trying again", error=describe(error))
        else:
            self._log.debug("RabbitMQ still cannot be reached", error=describe(error))
        self._troubled = True
