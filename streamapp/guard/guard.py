"""The guard over a real Redis: asks the scripts, keeps the leases, shows the live state.

In: questions of one worker. Out: the closed set of answers in `claims`. Decides nothing itself: every decision is one
Lua script, so that two workers can never both be told yes.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from redis.exceptions import RedisError

from streamapp.clock import Clock, SystemClock
from streamapp.domain.errors import Unavailable
from streamapp.domain.facts import Token
from streamapp.guard import epoch as epochs
from streamapp.guard import live
from streamapp.guard.calls import Argument, Calls
from streamapp.guard.check import check_settings
from streamapp.guard.claims import Answer, Claim, Claimed, Doomed, GuardNotReady, Held, Known, Superseded
from streamapp.guard.keys import Keys
from streamapp.guard.lease import LeaseKeeper, LeaseTerms
from streamapp.guard.live import JobState, LiveJob, Registration, WaitingJob, WorkerRegistration
from streamapp.guard.rebuild import ClaimRecord
from streamapp.guard.scripts import CLAIM, COMPLETE, CONFIRM, ENDED, RELEASE, Script
from streamapp.metrics.guard import GuardMetrics
from streamapp.telemetry import describe, get_log

NOT_READY = (
    "the guard's epoch key is missing: Redis was flushed, restored or started empty, and nothing may run. "
    "Run `streamapp guard rebuild` to write the claims again from the diary."
)
Result = TypeVar("Result")


class Guard:
    """The door to Redis for one process.

    Args:
        redis_url: may hold a password; never logged.
        prefix: of every key, with its separator at the end.
        worker: unique per process start.
        lease_seconds: a worker silent for so long has lost its claims.
        retention_seconds: claims are remembered so long after their last change.
        max_deaths: workers that may die running one job alone before it is doomed.
        finished_jobs_kept: entries of the live states completed and failed.
        timeout_seconds: one round trip; after it the answer is unknown (Unavailable).
        describe_worker: what the registration says and which jobs wait; None registers no worker.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        prefix: str,
        worker: str,
        lease_seconds: float,
        retention_seconds: float,
        max_deaths: int,
        finished_jobs_kept: int,
        timeout_seconds: float,
        clock: Clock | None = None,
        describe_worker: Callable[[], tuple[Registration, Sequence[WaitingJob]]] | None = None,
        metrics: GuardMetrics | None = None,
    ) -> None:
        self._keys = Keys(prefix)
        self._worker = worker
        self._lease_ms = max(round(lease_seconds * 1000), 1)
        self._retention_ms = max(round(retention_seconds * 1000), 2 * self._lease_ms)
        self._max_deaths, self._finished_jobs_kept = max_deaths, finished_jobs_kept
        self._clock = clock or SystemClock()
        metrics = metrics or GuardMetrics()
        self._calls = Calls(redis_url, timeout_seconds, metrics)
        terms = LeaseTerms(worker, self._lease_ms, self._retention_ms)
        self._leases = LeaseKeeper(redis_url, self._keys, terms, self._clock, describe_worker, metrics.lost)
        self._log = get_log(__name__, worker=worker)
        self._returning: set[asyncio.Task[Any]] = set()
        self._started = False
        self.ready = True
        """False once Redis has said that it has forgotten the epoch, until it says otherwise."""
        metrics.watch(lambda: self.ready)

    @property
    def answering(self) -> bool:
        """Whether Redis answered when leases were renewed last; false before the first time."""
        return self._leases.answering

    async def start(self) -> None:
        """Check Redis's settings and begin to renew leases. May be tried again after Unavailable.

        Raises:
            ConfigurationError: Redis runs with a setting that makes claims unsafe.
            Unavailable: Redis does not answer.
        """
        await self._ask(check_settings(self._calls.redis))
        if not self._started:
            self._leases.start()
            self._started = True

    async def stop(self) -> None:
        """Stop renewing, take the registration away, close the connections. Claims in hand lapse."""
        if self._returning:
            await asyncio.wait(self._returning)
        if self._started:
            await asyncio.to_thread(self._leases.stop)
        await self._calls.close()

    async def claim(self, task_id: str, attempt: int, first_attempt: int = 1) -> Answer:
        """Ask to run `attempt` of `task_id`. See `Claims.claim`."""
        keys = [self._keys.epoch, self._keys.task(task_id), self._keys.jobs("waiting"), self._keys.jobs("active")]
        limits = [self._lease_ms, self._retention_ms, self._max_deaths, first_attempt]
        asked = self._calls(CLAIM, keys, [task_id, attempt, self._worker, *limits])
        try:
            reply = await asyncio.shield(asked)
        except asyncio.CancelledError:
            # Race: Redis may grant the claim after the caller has gone. Nobody would run it, so it is given back;
            # left to lapse, it would count as a death.
            asked.add_done_callback(partial(self._give_back, task_id, attempt))
            raise
        answer = read_answer(task_id, attempt, self._ready_with(reply))
        if isinstance(answer, Claimed | Doomed):
            self._leases.keep(answer.claim)
        return answer

    async def confirm(self, claim: Claim) -> bool:
        """Whether `claim` is current and its lease alive. See `Claims.confirm`.

        Race: a lapsed claim lives again with its next renewal. One that was not confirmed is given up, so it is renewed
        no more: whoever gave it up claims anew, and would be held up by it for ever.
        """
        keys = [self._keys.epoch, self._keys.task(claim.task_id)]
        arguments = [*self._mine(claim), self._lease_ms, self._retention_ms]
        confirmed = self._yes(await self._call(CONFIRM, keys, arguments))
        if not confirmed:
            self._leases.drop(claim)
        return confirmed

    async def complete(self, claim: Claim, record: bytes, *, succeeded: bool) -> bool:
        """Keep the outcome with the claim. See `Claims.complete`."""
        keys = [self._keys.epoch, self._keys.task(claim.task_id)]
        arguments = [*self._mine(claim), record, int(succeeded), self._retention_ms]
        kept = self._yes(await self._call(COMPLETE, keys, arguments))
        self._leases.drop(claim)
        return kept

    async def ended(self, claim: Claim) -> bool:
        """The kept outcome is durable in the diary. See `Claims.ended`."""
        states = [self._keys.jobs(state) for state in live.JOB_STATES]
        token = claim.token
        arguments: list[Argument] = [token.epoch, token.claim, claim.task_id, claim.attempt]
        keys = [self._keys.epoch, self._keys.task(claim.task_id), *states]
        return self._yes(await self._call(ENDED, keys, [*arguments, self._retention_ms, self._finished_jobs_kept]))

    async def release(self, claim: Claim) -> bool:
        """Give the claim back unfinished. See `Claims.release`."""
        self._leases.drop(claim)
        keys = [self._keys.epoch, self._keys.task(claim.task_id), self._keys.jobs("waiting"), self._keys.jobs("active")]
        return self._yes(await self._call(RELEASE, keys, [*self._mine(claim), claim.task_id]))

    def keep(self, claim: Claim, seconds: float | None) -> None:
        """Renew for at most `seconds`, or while the event loop lives. See `Claims.keep`."""
        if not self._leases.lost(claim):
            self._leases.keep(claim, None if seconds is None else self._clock.monotonic() + seconds)

    def lost(self, claim: Claim) -> bool:
        """Whether a renewal has found `claim` taken away; known until it is completed or released."""
        return self._leases.lost(claim)

    async def epoch(self) -> int | None:
        """The guard's epoch; None if this Redis has forgotten. Raises Unavailable."""
        return await self._ask(epochs.read_epoch(self._calls.redis, self._keys))

    async def announce_rebuild(self) -> str:
        """Begin a rebuild: to be called before the diary is read for it. Returns its ticket. Raises Unavailable."""
        return await self._ask(epochs.announce(self._calls.redis, self._keys, self._retention_ms))

    async def rebuild(
        self, records: AsyncIterable[ClaimRecord] | Iterable[ClaimRecord], epoch: int, ticket: str | None = None
    ) -> int:
        """Write the claims again and set the epoch last; returns it. See `epoch.write_claims`. Raises Unavailable.

        `ticket` is what `announce_rebuild` gave; without one the rebuild begins here.
        """
        writing = epochs.write_claims(
            self._calls.redis,
            self._keys,
            records,
            ticket=ticket or await self.announce_rebuild(),
            epoch=epoch,
            retention_ms=self._retention_ms,
        )
        return await self._ask(writing)

    async def live_jobs(self, state: JobState, limit: int = 100) -> list[LiveJob]:
        """The latest jobs in a live state, latest first. Raises Unavailable."""
        return await self._ask(live.jobs(self._calls.redis, self._keys, state, limit))

    async def counts(self) -> dict[JobState, int]:
        """How many jobs are in each live state. Raises Unavailable."""
        return await self._ask(live.counts(self._calls.redis, self._keys))

    async def workers(self) -> list[WorkerRegistration]:
        """The workers that are alive. Raises Unavailable."""
        return await self._ask(live.workers(self._calls.redis, self._keys))

    def _give_back(self, task_id: str, attempt: int, asked: asyncio.Future[list[Any]]) -> None:
        if asked.cancelled() or asked.exception() is not None:
            return
        try:
            answer = read_answer(task_id, attempt, self._ready_with(asked.result()))
        except Unavailable as error:  # not ready, or an answer that nobody knows: nothing was granted
            self._log.debug("a claim that nobody waits for any more was not granted", task=task_id, error=str(error))
            return
        if isinstance(answer, Claimed | Doomed):
            returning = asyncio.ensure_future(self._release_quietly(answer.claim))
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)

    async def _release_quietly(self, claim: Claim) -> None:
        try:
            await self.release(claim)
        except Unavailable as error:
            self._log.warning("a claim could not be given back; it lapses", task=claim.task_id, error=describe(error))

    def _mine(self, claim: Claim) -> list[Argument]:
        return [claim.token.epoch, claim.token.claim, self._worker, claim.attempt]

    async def _call(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> list[Any]:
        return self._ready_with(await self._calls(script, keys, arguments))

    def _ready_with(self, reply: list[Any]) -> list[Any]:
        self.ready = reply[0] != b"not-ready"
        if not self.ready:
            raise GuardNotReady(NOT_READY)
        return reply

    async def _ask(self, asking: Awaitable[Result]) -> Result:
        try:
            return await asking
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis: {describe(error)}") from error

    def _yes(self, reply: Sequence[Any]) -> bool:
        return bool(reply[0] == b"yes")


def read_answer(task_id: str, attempt: int, reply: Sequence[Any]) -> Answer:
    """The reply of the script `claim` as a value."""
    match reply[0]:
        case b"claimed":
            claim = Claim(task_id, attempt, Token(int(reply[1]), int(reply[2])))
            return Claimed(claim, alone=int(reply[3]) == 1, deaths=int(reply[4]), takeover=int(reply[5]) == 1)
        case b"held":
            return Held(int(reply[1]) / 1000)
        case b"known":
            return Known(Claim(task_id, int(reply[1]), Token(int(reply[2]), int(reply[3]))), reply[4])
        case b"superseded":
            return Superseded(int(reply[1]))
        case b"doomed":
            claim = Claim(task_id, attempt, Token(int(reply[1]), int(reply[2])))
            return Doomed(claim, int(reply[3]), started=int(reply[4]) == 1)
        case other:
            raise Unavailable(f"the guard's script answered {other!r}")
