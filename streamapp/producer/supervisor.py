"""Watches over the producer: decides when facts may be handed over, and replaces a producer that is broken or stuck.

Comes in: what the probe hears, what the session suffers, which facts are overdue. Goes out: an open session, or the
trouble in words. One warning per outage, one line when it is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from streamapp.domain.errors import Unavailable
from streamapp.producer.probe import Probe
from streamapp.producer.session import Session
from streamapp.telemetry import describe, get_log

IDLE_SECONDS = 1.0
DOWN_SECONDS = 0.5
"""Time between two looks, in good times and in bad."""

STUCK_FACTOR = 2.5
"""A producer without any answer for so many request timeouts, while Kafka answers the probe, is replaced."""

log = get_log("streamapp.producer")


class Supervisor:
    """Owns probe and session; the two functions make them, given the callback for their bad news."""

    def __init__(
        self,
        topic: str,
        make_probe: Callable[[Callable[[], None]], Probe],
        open_session: Callable[[Callable[[], None]], Awaitable[Session]],
        request_timeout_seconds: float,
    ) -> None:
        self.trouble: str | None = "not connected yet"
        self._log = log.bind(topic=topic)
        self._probe = make_probe(self.doubt)
        self._open_session = open_session
        self._timeout = request_timeout_seconds
        self._session: Session | None = None
        self._probed: str | None = None
        self._must_ask = True
        self._warned_at: float | None = None
        self._quiet_since = 0.0
        self._settled_before = 0
        self._gate = asyncio.Event()
        self._looked = asyncio.Event()
        self._poke = asyncio.Event()
        self._retiring: dict[asyncio.Task[None], Session] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look once, for at most the request timeout, and go on looking in the background."""
        self._task = asyncio.create_task(self._watch(), name="fact log supervisor")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._looked.wait()

    async def stop(self) -> None:
        """Let what is on its way settle, within the request timeout and only while Kafka answers; then end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        grace = self._timeout if self._gate.is_set() else 0
        self._gate.clear()
        self.trouble = "stopped"
        self._retire(grace)
        if not grace:
            # Not by cancelling the tasks: one that has not begun yet would never end its session.
            await asyncio.gather(*(session.end() for session in self._retiring.values()))
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._probe.close()

    @property
    def session(self) -> Session | None:
        """The session that takes records; None while in trouble."""
        return self._session if self._gate.is_set() else None

    async def opened(self) -> Session:
        """Wait for a session that takes records, however long that takes."""
        while True:
            await self._gate.wait()
            if self._session is not None:
                return self._session

    def update(self) -> None:
        """Open or shut the gate by what is known now."""
        trouble = self._find_trouble()
        self.trouble = trouble
        if trouble is None:
            self._gate.set()
            self._say_up()
        else:
            self._gate.clear()
            self._say_down(trouble)

    def doubt(self) -> None:
        """Kafka closed a connection, or did not acknowledge in time: judge anew, and ask at once whether it is gone."""
        self.update()
        self._must_ask = True
        self._poke.set()

    def _changed(self) -> None:
        self.update()
        self._poke.set()

    def _find_trouble(self) -> str | None:
        session = self._session
        if self._probed is not None:
            return self._probed
        if session is None or session.broken is not None:
            return "the producer is being replaced"
        if session.overdue:
            return "Kafka has not acknowledged earlier facts in time"
        return None

    async def _watch(self) -> None:
        while True:
            self._poke.clear()
            try:
                await self._look()
            except Exception:
                # A fault of streamapp or of the client library must not end the watch: the gate would never move again.
                self._probed = "the producer's supervisor failed, see the log"
                self._log.exception("looking for Kafka failed")
            self.update()
            self._looked.set()
            pause = IDLE_SECONDS if self._gate.is_set() else DOWN_SECONDS
            # Not wait_for: it swallows a cancellation that meets the poke (Python 3.11).
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._poke.wait()

    async def _look(self) -> None:
        if not self._has_settled_since_last_look() or self._must_ask:
            self._must_ask = False
            self._probed = await self._probe.ask()
        else:
            self._probed = None
        if self._probed is not None:
            self._quiet_since = asyncio.get_running_loop().time()
        elif self._must_replace():
            await self._replace()

    def _has_settled_since_last_look(self) -> bool:
        """Whether the producer itself has shown that Kafka answers, so that the probe need not ask."""
        session = self._session
        before, self._settled_before = self._settled_before, session.settled if session else 0
        if session is None or session.broken is not None or self._settled_before == before:
            return False
        self._quiet_since = asyncio.get_running_loop().time()
        return not session.overdue

    def _must_replace(self) -> bool:
        session, now = self._session, asyncio.get_running_loop().time()
        if session is None or session.broken is not None:
            return True
        if not session.outstanding:
            self._quiet_since = now
        return now - self._quiet_since > STUCK_FACTOR * self._timeout

    async def _replace(self) -> None:
        old = self._session
        if old is not None:
            reason = describe(old.broken) if old.broken else "no answer to what it sent, though Kafka answers"
            self._log.warning("the Kafka producer is replaced by a fresh one", reason=reason)
            self._retire(self._timeout if old.broken else 0)
        try:
            self._session = await self._open_session(self._changed)
        except Unavailable as error:
            self._probed = str(error)
        self._quiet_since, self._settled_before = asyncio.get_running_loop().time(), 0

    def _retire(self, grace: float) -> None:
        old, self._session = self._session, None
        if old is not None:
            task = asyncio.create_task(old.retire(grace), name="retiring producer")
            self._retiring[task] = old
            task.add_done_callback(lambda done: self._retiring.pop(done, None))

    def _say_down(self, trouble: str) -> None:
        if self._warned_at is None:
            self._warned_at = asyncio.get_running_loop().time()
            self._log.warning("facts are refused for now", reason=trouble)

    def _say_up(self) -> None:
        if self._warned_at is not None:
            seconds = asyncio.get_running_loop().time() - self._warned_at
            self._warned_at = None
            self._log.info("facts are accepted again", down_seconds=round(seconds, 1))
