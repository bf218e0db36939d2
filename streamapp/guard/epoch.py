"""The guard's epoch, and writing the guard again from claim records.

In: claim records (see `rebuild`). Out: their keys in Redis, and the epoch key last. Without that key every script
answers "not ready", so nothing can run on a guard that is half rebuilt.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.domain.errors import Unavailable
from streamapp.guard.keys import Keys
from streamapp.guard.rebuild import ClaimRecord
from streamapp.guard.scripts import ANNOUNCE, CLOSE, OPEN, REBUILD, Script

BATCH = 500
"""Records written in one pipeline."""

FORGOTTEN = (
    "Redis forgot everything while the guard was being rebuilt, and nothing may run. "
    "Run `streamapp guard rebuild` again."
)


async def read_epoch(redis: Redis, keys: Keys) -> int | None:
    """The epoch; None if this Redis has forgotten."""
    value = await redis.get(keys.epoch)
    return None if value is None else int(value)


async def announce(redis: Redis, keys: Keys, retention_ms: int) -> str:
    """Begin a rebuild, before the diary is read for it. Returns the ticket that `write_claims` asks for.

    The ticket is good as long as Redis forgets nothing. Without it a Redis that was emptied in the middle would be made
    ready with what was written since, or with a diary that was read before.
    """
    ticket: bytes = await _run(redis, ANNOUNCE, [keys.rebuilds], [retention_ms])
    return ticket.decode()


async def write_claims(
    redis: Redis,
    keys: Keys,
    records: AsyncIterable[ClaimRecord] | Iterable[ClaimRecord],
    *,
    ticket: str,
    epoch: int,
    retention_ms: int,
) -> int:
    """Write `records`, then set the epoch: `epoch`, or one above the highest that was set here where that is more.

    Claims that Redis knows and the diary does not know yet stay. Returns the epoch that was set. A rebuild that breaks
    off leaves the guard not ready; run it again.

    Raises:
        Unavailable: Redis has forgotten everything since the ticket was given.
    """
    if await _run(redis, CLOSE, [keys.epoch, keys.rebuilds], [ticket]) == b"no":
        raise Unavailable(FORGOTTEN)
    seconds, microseconds = await redis.time()
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    await redis.script_load(REBUILD.source)
    async for batch in _batches(records):
        pipeline = redis.pipeline(transaction=False)
        for record in batch:
            arguments = _arguments(record, now_ms, retention_ms)
            pipeline.execute_command("EVALSHA", REBUILD.digest, 1, keys.task(record.task_id), *arguments)
        await pipeline.execute()
    opened: bytes = await _run(redis, OPEN, [keys.epoch, keys.rebuilds, keys.highest_epoch], [ticket, epoch])
    if opened == b"no":
        raise Unavailable(FORGOTTEN)
    return int(opened)


async def _run(redis: Redis, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
    client: Any = redis  # the library's `eval` wants text arguments, its `execute_command` has no types
    return await client.execute_command("EVAL", script.source, len(keys), *keys, *arguments)


def _arguments(record: ClaimRecord, now_ms: int, retention_ms: int) -> list[Any]:
    remembered = retention_ms - max(now_ms - record.ended_at_ms, 0) if record.ended else retention_ms
    token = record.token
    flags = [int(record.ended), int(record.succeeded)]
    return [record.attempt, token.epoch, token.claim, record.worker, *flags, max(remembered, 1)]


async def _batches(
    records: AsyncIterable[ClaimRecord] | Iterable[ClaimRecord],
) -> AsyncIterator[Sequence[ClaimRecord]]:
    batch: list[ClaimRecord] = []
    async for record in _each(records):
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _each(records: AsyncIterable[ClaimRecord] | Iterable[ClaimRecord]) -> AsyncIterator[ClaimRecord]:
    if isinstance(records, AsyncIterable):
        async for record in records:
            yield record
    else:
        for record in records:
            yield record
