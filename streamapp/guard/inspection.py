"""The guard's memory as it stands, for `streamapp doctor`. Reads only: no script, no claim, no registration.

In: keys of one prefix. Out: values. What a stranger wrote under these keys must not end the reader, so numbers that are
none are read as 0.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from streamapp.domain.errors import ConfigurationError, Unavailable
from streamapp.guard import live
from streamapp.guard.check import Hidden, faults_of
from streamapp.guard.keys import Keys
from streamapp.guard.live import WaitingJob, WorkerRegistration
from streamapp.telemetry import describe

Result = TypeVar("Result")

FIELDS = ("attempt", "status", "epoch", "claim", "owner", "until", "alone")


@dataclass(frozen=True, slots=True)
class StandingClaim:
    """The last claim of a task. `until_ms`: end of its lease by Redis's clock, milliseconds since the epoch."""

    attempt: int
    status: str
    epoch: int
    number: int
    worker: str
    until_ms: int
    alone: bool


class GuardInspection:
    """Enter it with `async with`.

    Args:
        redis_url: may hold a password; never logged.
        prefix: of every key, with its separator at the end.
        timeout_seconds: one round trip.

    Raises:
        ConfigurationError: the URL is none.
        Unavailable: from every method, if Redis does not answer.
    """

    def __init__(self, redis_url: str, prefix: str, timeout_seconds: float) -> None:
        self._keys = Keys(prefix)
        try:
            self._redis: Redis = Redis.from_url(
                redis_url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:  # its message may quote a part of the URL, and so of the password
            raise ConfigurationError("STREAMAPP_REDIS__URL is no redis://, rediss:// or unix:// URL") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._redis.aclose()

    async def setting_faults(self) -> list[str] | None:
        """Settings that make claims unsafe, with what to do; None if Redis does not show its settings."""
        try:
            return await self._ask(faults_of(self._redis))
        except Hidden:
            return None

    async def now_ms(self) -> int:
        """Redis's clock, by which leases run out."""
        seconds, microseconds = await self._ask(self._redis.time())
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def epoch(self) -> int | None:
        """The guard's epoch; None if this Redis has forgotten."""
        value = await self._ask(self._redis.get(self._keys.epoch))
        return None if value is None else _whole(value)

    async def workers(self) -> list[WorkerRegistration]:
        """The workers that are alive."""
        return await self._ask(live.workers(self._redis, self._keys))

    async def active(self, limit: int) -> tuple[dict[WaitingJob, int], bool]:
        """Jobs listed as active with the time of their claim, oldest first; and whether these are all."""
        found: Any = await self._ask(self._redis.zrange(self._keys.jobs("active"), 0, limit, withscores=True))
        return {_job(member): int(score) for member, score in found[:limit]}, len(found) <= limit

    async def claims(self, task_ids: Iterable[str]) -> dict[str, StandingClaim]:
        """The last claim of each task; without those that the guard does not know."""
        wanted = list(dict.fromkeys(task_ids))
        pipeline = self._redis.pipeline(transaction=False)
        for task_id in wanted:
            pipeline.hmget(self._keys.task(task_id), FIELDS)
        rows = await self._ask(pipeline.execute()) if wanted else []
        return {task_id: _claim(row) for task_id, row in zip(wanted, rows, strict=True) if any(row)}

    async def waiting(self, jobs: Sequence[WaitingJob]) -> frozenset[WaitingJob]:
        """Of `jobs`, those that a worker has said it holds and has not claimed."""
        pipeline = self._redis.pipeline(transaction=False)
        for task_id, attempt in jobs:
            pipeline.zscore(self._keys.jobs("waiting"), f"{task_id}:{attempt}")
        scores = await self._ask(pipeline.execute()) if jobs else []
        return frozenset(job for job, score in zip(jobs, scores, strict=True) if score is not None)

    async def _ask(self, asking: Awaitable[Result]) -> Result:
        try:
            return await asking
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis: {describe(error)}") from error


def _job(member: bytes) -> WaitingJob:
    text = member.decode(errors="replace")
    task_id, _, attempt = text.rpartition(":")
    return task_id or text, _whole(attempt)


def _claim(row: Sequence[bytes | None]) -> StandingClaim:
    attempt, status, epoch, claim, owner, until, alone = ((value or b"").decode(errors="replace") for value in row)
    return StandingClaim(
        _whole(attempt), status, _whole(epoch), _whole(claim), owner or "nobody", _whole(until), alone == "1"
    )


def _whole(text: str | bytes) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
