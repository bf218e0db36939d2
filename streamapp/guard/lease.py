"""Renews leases from a thread, so that a handler that blocks the event loop does not lose its claim.

In: claims to keep. Out: renewals in Redis every third of a lease, the worker's registration beside them, and the set of
claims that turned out to be lost. Never touches the event loop beyond asking it for a sign of life: a process whose
loop has stopped for good must not keep its claims for ever.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from streamapp.clock import Clock
from streamapp.guard.claims import Claim
from streamapp.guard.keys import Keys
from streamapp.guard.live import Registration, WaitingJob, register_arguments
from streamapp.guard.scripts import REGISTER, RENEW, Script
from streamapp.metrics import Count
from streamapp.telemetry import describe, get_log

PULSE_SECONDS = 60.0
"""Claims without a running handler are renewed while the event loop has answered within this time."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """Whose leases, for how long. `retention_ms` is how long a task is remembered after the last renewal."""

    worker: str
    lease_ms: int
    retention_ms: int


class LeaseKeeper:
    """Keeps claims alive, each until its own deadline.

    Args:
        describe_worker: the registration and the jobs that wait, asked for in the event loop's thread; None registers
            nobody.
        lost: counts claims that turn out to be lost.
    """

    def __init__(
        self,
        redis_url: str,
        keys: Keys,
        terms: LeaseTerms,
        clock: Clock,
        describe_worker: Callable[[], tuple[Registration, Sequence[WaitingJob]]] | None,
        lost: Count | None = None,
    ) -> None:
        self._losses = lost or Count()
        self._interval = terms.lease_ms / 3000
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=self._interval,
            socket_connect_timeout=self._interval,
            retry=Retry(NoBackoff(), 0),
        )
        self._keys, self._terms, self._clock = keys, terms, clock
        self._describe_worker = describe_worker
        self._log = get_log(__name__, worker=terms.worker)
        self._lock = threading.Lock()
        self._kept: dict[Claim, float | None] = {}
        self._lost: set[Claim] = set()
        self._registration: tuple[Registration, Sequence[WaitingJob]] | None = None
        self._pulse = clock.monotonic()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failing = False
        self.answering = False
        """Whether Redis answered the last renewal."""

    def start(self) -> None:
        """Start the thread. Call it from the event loop."""
        self._loop = asyncio.get_running_loop()
        self._beat()
        self._thread = threading.Thread(target=self._run, name="guard-leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing and take the registration away. Blocks for at most one Redis timeout."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self._redis.delete(self._keys.worker(self._terms.worker))
            self._redis.zrem(self._keys.workers, self._terms.worker)
        except (RedisError, OSError) as error:
            self._log.debug("registration not taken away; it lapses by itself", error=describe(error))
        self._redis.close()

    def keep(self, claim: Claim, deadline: float | None = None) -> None:
        """Renew `claim` until `deadline` (monotonic seconds), or without one while the event loop lives."""
        with self._lock:
            self._kept[claim] = deadline

    def drop(self, claim: Claim) -> None:
        """Renew `claim` no longer."""
        with self._lock:
            self._kept.pop(claim, None)
            self._lost.discard(claim)

    def lost(self, claim: Claim) -> bool:
        """Whether a renewal has found `claim` taken away."""
        with self._lock:
            return claim in self._lost

    def _beat(self) -> None:
        """In the event loop's thread: a sign of life, and what the registration says."""
        if self._describe_worker is not None:
            self._registration = self._describe_worker()
        self._pulse = self._clock.monotonic()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._ask_for_a_beat()
            try:
                self._renew()
                self._register()
                self._failing, self.answering = False, True
            except (RedisError, OSError) as error:
                # The claims go on: Redis keeps them, and a lapsed lease that nobody took is renewed when it answers.
                if not self._failing:
                    self._log.warning("leases cannot be renewed; trying again", error=describe(error))
                self._failing, self.answering = True, False
            self._stop.wait(self._interval)

    def _ask_for_a_beat(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._beat)
            except RuntimeError as error:  # race: the loop was closed since the line above; the pulse stays as it is
                self._log.debug("the event loop has ended", error=describe(error))

    def _due(self) -> list[Claim]:
        now = self._clock.monotonic()
        alive = now - self._pulse < PULSE_SECONDS
        with self._lock:
            return [claim for claim, deadline in self._kept.items() if (alive if deadline is None else now < deadline)]

    def _renew(self) -> None:
        claims = self._due()
        if not claims:
            return
        keys = [self._keys.epoch, *(self._keys.task(claim.task_id) for claim in claims)]
        arguments: list[Any] = [self._terms.worker, self._terms.lease_ms, self._terms.retention_ms]
        for claim in claims:
            arguments += [claim.token.epoch, claim.token.claim, claim.attempt]
        renewed = self._call(RENEW, keys, arguments)
        if isinstance(renewed, bytes):
            return  # the guard is not ready: neither renewed nor lost
        with self._lock:
            # Race: a claim completed or released since the list was drawn up is no longer kept, so it is not lost.
            lost = [claim for claim, kept in zip(claims, renewed, strict=True) if not kept and claim in self._kept]
            for claim in lost:
                del self._kept[claim]
                self._lost.add(claim)
        self._losses.add(len(lost))
        for claim in lost:
            self._log.warning("claim lost", task=claim.task_id, attempt=claim.attempt)

    def _register(self) -> None:
        if self._registration is None or self._clock.monotonic() - self._pulse >= PULSE_SECONDS:
            return
        registration, waiting = self._registration
        keys, arguments = register_arguments(self._keys, self._terms, registration, waiting)
        self._call(REGISTER, keys, arguments)

    def _call(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            return self._redis.evalsha(script.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return self._redis.eval(script.source, len(keys), *keys, *arguments)
