"""How a process is: its version, its age, whether its event loop turns, and which brokers answer it. For every role."""

import asyncio
from collections.abc import Callable, Iterator
from importlib.metadata import version

from streamapp.clock import Clock, SystemClock
from streamapp.metrics.instruments import Family, Sample
from streamapp.metrics.registry import Metrics

BUILD = Family("gauge", "streamapp_build_info", "Always 1; the labels say what runs.", ("version", "role"))
UPTIME = Family("gauge", "streamapp_uptime_seconds", "Time since this process was composed.")
LOOP_LAG = Family(
    "histogram",
    "streamapp_event_loop_lag_seconds",
    "How much later than asked the event loop came back to a task, looked at twice a second.",
)
CONNECTION = Family(
    "gauge",
    "streamapp_connection_up",
    "1 while the broker answers this process, 0 while it does not; of the brokers that the role needs.",
    ("broker",),
)
LOOK_SECONDS = 0.5


class Vitals:
    """The vitals of one process of `role`, kept in its `metrics`."""

    def __init__(self, role: str, metrics: Metrics | None = None, clock: Clock | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._clock = clock or SystemClock()
        self._build = (version("streamapp"), role)
        self._begun = self._clock.monotonic()
        self._lag = self.metrics.spread(LOOP_LAG)
        self._connections: dict[str, list[Callable[[], bool]]] = {}
        self._watch: asyncio.Task[None] | None = None
        self.metrics.read((BUILD, UPTIME, CONNECTION), self._read)

    def connection(self, broker: str, up: Callable[[], bool]) -> None:
        """Tell of a connection to `broker`; one that has several is up while all of them are."""
        self._connections.setdefault(broker, []).append(up)

    async def start(self) -> None:
        """Begin to look at the event loop."""
        self._watch = asyncio.create_task(self._look(), name="vitals")

    async def stop(self) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})

    async def _look(self) -> None:
        while True:
            asked = self._clock.monotonic()
            await self._clock.sleep(LOOK_SECONDS)
            self._lag.observe(self._clock.monotonic() - asked - LOOK_SECONDS)

    def _read(self) -> Iterator[Sample]:
        yield BUILD, self._build, 1
        yield UPTIME, (), self._clock.monotonic() - self._begun
        for broker, ways in self._connections.items():
            yield CONNECTION, (broker,), all(up() for up in ways)
