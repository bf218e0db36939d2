"""Consumes jobs, comes back by itself, and notices when it consumes nothing.

In: queues, and a plain function that is handed every delivery. Out: deliveries. Handlers never run in here: aiormq
cancels its callbacks when a channel dies (`reliability.md`, E10), so `on_delivery` must only hand the delivery over.
Never publishes.
"""

from collections.abc import Callable, Sequence

from aio_pika.abc import AbstractConnection

from streamapp.clock import Clock, SystemClock
from streamapp.queue.delivery import Delivery
from streamapp.queue.link import Link
from streamapp.queue.subscription import Subscription
from streamapp.queue.topology import declare
from streamapp.telemetry import get_log
from streamapp.wire.names import Names


class JobConsumer:
    """One connection with one channel that consumes `queues`, and nothing else on it.

    Args:
        rabbitmq_url: AMQP URL; holds a password, never logged.
        queues: work queues, namespace included; declared anew on every connection; when one is deleted, the connection
            is replaced.
        prefetch: unsettled deliveries held at most *per queue*: quorum queues know no limit for a whole channel
            (https://www.rabbitmq.com/docs/quorum-queues#global-qos).
        heartbeat_seconds: AMQP heartbeat, and how often the watchdog looks.
        on_delivery: called on the event loop, once per delivery; must return at once and not raise.
        client_name: shown by RabbitMQ's own tools.
    """

    def __init__(
        self,
        rabbitmq_url: str,
        names: Names,
        queues: Sequence[str],
        *,
        prefetch: int,
        heartbeat_seconds: int = 10,
        on_delivery: Callable[[Delivery], None],
        client_name: str = "streamapp-consumer",
        clock: Clock | None = None,
    ) -> None:
        self._names = names
        self._queues = tuple(queues)
        self._prefetch = prefetch
        self._on_delivery = on_delivery
        self._watch_seconds = float(heartbeat_seconds)
        self._taking = True
        self._subscription: Subscription | None = None
        self._link = Link(
            rabbitmq_url,
            self._serve,
            client_name=client_name,
            heartbeat_seconds=heartbeat_seconds,
            clock=clock or SystemClock(),
            log=get_log(__name__),
        )

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._link.start()

    async def close(self) -> None:
        """Close the connection. What is unsettled goes back to its queue; settling it returns False from now on."""
        if self._subscription is not None:
            await self._subscription.flush()
        await self._link.close()

    def stop_taking(self) -> None:
        """From now on `on_delivery` is not called; what was delivered can still be settled. Returns at once.

        What the broker had sent already goes back to its queue. The consumers are cancelled, not their jobs rejected:
        a rejected job would come back at once and spin.
        """
        self._take(False)

    def resume(self) -> None:
        """Take deliveries again. Returns at once."""
        self._take(True)

    @property
    def taking(self) -> bool:
        """Whether deliveries are wanted: false between `stop_taking` and `resume`."""
        return self._taking

    @property
    def connected(self) -> bool:
        """Whether there is an open channel, so that deliveries that came on it can be settled."""
        return self._subscription is not None and self._subscription.open

    @property
    def consuming(self) -> bool:
        """Whether the broker has us as a consumer of every queue."""
        return self._subscription is not None and self._subscription.complete

    async def wait_connected(self) -> None:
        """Wait until there is a connection, with its queues subscribed to if they are wanted; as long as it takes.

        Raises:
            ConfigurationError: a queue exists with other properties; only a person can help.
        """
        await self._link.wait_working()

    def _take(self, taking: bool) -> None:
        self._taking = taking
        if self._subscription is not None:
            self._subscription.take(taking)

    async def _serve(self, connection: AbstractConnection) -> None:
        await declare(connection, self._names, self._queues)
        subscription = await Subscription.on(
            connection,
            self._queues,
            prefetch=self._prefetch,
            on_delivery=self._on_delivery,
            watch_seconds=self._watch_seconds,
        )
        self._subscription = subscription
        subscription.take(self._taking)
        try:
            await subscription.run(self._link.works)
        finally:
            self._subscription = None
            subscription.end()
