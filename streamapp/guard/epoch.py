"""The guard's epoch, and writing the guard again from claim records.

In: claim records (see `rebuild`). Out: their keys in Redis, and the epoch key last. Without that key every script
answers "not ready", so nothing can run on a guard that is half rebuilt.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from streamapp.guard.keys import Keys
from streamapp.guard.rebuild import ClaimRecord
from streamapp.guard.scripts import REBUILD

BATCH = 500
"""Records written in one pipeline."""


async def read_epoch(redis: Redis, keys: Keys) -> int | None:
    """The epoch; None if this Redis has forgotten."""
    value = await redis.get(keys.epoch)
    return None if value is None else int(value)


async def write_claims(
    redis: Redis,
    keys: Keys,
    records: AsyncIterable[ClaimRecord] | Iterable[ClaimRecord],
    *,
    epoch: int,
    retention_ms: int,
) -> int:
    """Write `records`, then set the epoch: `epoch`, or one above the present one where that is more.

    Claims that Redis knows and the diary does not know yet stay. Returns the epoch that was set. A rebuild that breaks
    off leaves the guard not ready; run it again.
    """
    present = await read_epoch(redis, keys)
    await redis.delete(keys.epoch)
    seconds, microseconds = await redis.time()
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    await redis.script_load(REBUILD.source)
    async for batch in _batches(records):
        pipeline = redis.pipeline(transaction=False)
        for record in batch:
            arguments = _arguments(record, now_ms, retention_ms)
            pipeline.execute_command("EVALSHA", REBUILD.digest, 1, keys.task(record.task_id), *arguments)
        await pipeline.execute()
    new = max(epoch, 0 if present is None else present + 1)
    await redis.set(keys.epoch, new)
    return new


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
