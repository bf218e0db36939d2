"""What runs now, as the first seed's Redis has it: live job states and worker registrations. For people, never for
decisions; the truth about a task is in the diary.

In: an asyncio client. Out: values. Reads only; the states are kept by the guard's scripts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from redis.asyncio import Redis

from streamapp.guard.keys import Keys

JobState = Literal["waiting", "active", "completed", "failed"]
JOB_STATES: tuple[JobState, ...] = ("waiting", "active", "completed", "failed")
REGISTERED_LEASES = 3
"""A registration lapses after so many leases without renewal."""

WaitingJob = tuple[str, int]
"""Task id and attempt."""


@dataclass(frozen=True, slots=True)
class LiveJob:
    """One attempt in a live state since `at_ms` (Redis's time, milliseconds since the epoch)."""

    task_id: str
    attempt: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Registration:
    """What a worker says about itself. `started_ms` is its own clock's; `running` counts its running handlers."""

    host: str
    pid: int
    started_ms: int
    concurrency: int
    queues: tuple[str, ...]
    running: int


@dataclass(frozen=True, slots=True)
class WorkerRegistration:
    """A worker that was alive a moment ago."""

    worker: str
    registration: Registration


class Terms(Protocol):
    """What of the lease terms a registration needs."""

    @property
    def worker(self) -> str:
        """Worker id."""

    @property
    def lease_ms(self) -> int:
        """Milliseconds of one lease."""

    @property
    def retention_ms(self) -> int:
        """Milliseconds a task is remembered."""


def register_arguments(
    keys: Keys, terms: Terms, registration: Registration, waiting: Sequence[WaitingJob]
) -> tuple[list[str], list[Any]]:
    """Keys and arguments of the script `register`."""
    fields = {**asdict(registration), "queues": "\n".join(registration.queues)}
    pairs = [part for pair in fields.items() for part in pair]
    jobs = [part for task_id, attempt in waiting for part in (f"{task_id}:{attempt}", attempt)]
    tasks = [keys.task(task_id) for task_id, _ in waiting]
    return (
        [keys.workers, keys.worker(terms.worker), keys.jobs("waiting"), *tasks],
        [terms.worker, REGISTERED_LEASES * terms.lease_ms, terms.retention_ms, len(fields), *pairs, *jobs],
    )


async def jobs(redis: Redis, keys: Keys, state: JobState, limit: int) -> list[LiveJob]:
    """The latest `limit` jobs in `state`, latest first."""
    found: Any = await redis.zrevrange(keys.jobs(state), 0, limit - 1, withscores=True)
    return [_job(member.decode(), int(score)) for member, score in found]


async def counts(redis: Redis, keys: Keys) -> dict[JobState, int]:
    """How many jobs are in each state. Finished ones are counted as far as they are kept."""
    pipeline = redis.pipeline(transaction=False)
    for state in JOB_STATES:
        pipeline.zcard(keys.jobs(state))
    return dict(zip(JOB_STATES, await pipeline.execute(), strict=True))


async def workers(redis: Redis, keys: Keys) -> list[WorkerRegistration]:
    """The workers whose registration has not lapsed, by id."""
    members: Any = await redis.zrange(keys.workers, 0, -1)
    names = sorted(name.decode() for name in members)
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.hgetall(keys.worker(name))
    found = zip(names, await pipeline.execute(), strict=True)
    # A worker that was killed stands in the index until another one registers, but its own record is gone.
    return [WorkerRegistration(name, _registration(fields)) for name, fields in found if fields]


def _job(member: str, at_ms: int) -> LiveJob:
    task_id, _, attempt = member.rpartition(":")
    return LiveJob(task_id, int(attempt), at_ms)


def _registration(fields: dict[bytes, bytes]) -> Registration:
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Registration(
        host=text["host"],
        pid=int(text["pid"]),
        started_ms=int(text["started_ms"]),
        concurrency=int(text["concurrency"]),
        queues=tuple(text["queues"].split("\n")),
        running=int(text["running"]),
    )
