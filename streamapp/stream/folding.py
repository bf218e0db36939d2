"""The loop around every agent's work on a batch: nothing escapes from it.

Faust acknowledges the event of an agent that raises, and goes on without it (`faust-study.md`, F1). So a batch that
fails is tried again in place until it succeeds or the partition is taken away. What is being folded at this moment is
known here and nowhere else: a rebalance and the end of the process wait for that, and for nothing that merely lies in
an agent's queue.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from streamapp.metrics.stream import AgentMetrics
from streamapp.stream.batch import Fetch, RecordBatch
from streamapp.stream.positions import lowest
from streamapp.stream.table import BatchTable, NotHeld
from streamapp.telemetry import get_log

log = get_log(__name__)

MAX_PAUSE_SECONDS = 10.0
YOUNG_OBJECTS = 50_000
"""So many new objects before the garbage collector looks at them.

A fold makes dozens a fact and drops them with the batch: at Python's 700 the collector goes through those that are
still needed again and again, which takes up to a quarter of the time.
"""

CLOSE_SECONDS = 10.0
"""How long a batch may still take when its partition is to be given up: well below the rebalance timeout."""


def collect_calmly() -> None:
    """Set the garbage collector of this process to what folds make."""
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)


def counted(
    handle: Callable[[RecordBatch], Awaitable[None]], metrics: AgentMetrics
) -> Callable[[RecordBatch], Awaitable[None]]:
    """`handle`, with the batches counted that it has folded."""

    async def handle_and_count(batch: RecordBatch) -> None:
        begun = metrics.now()
        await handle(batch)
        metrics.batch(len(batch.records), metrics.now() - begun)

    return handle_and_count


async def fold_all(
    name: str,
    fetch: Fetch,
    handle: Callable[[RecordBatch], Awaitable[None]],
    tables: Sequence[BatchTable],
    folded: Callable[[], Awaitable[None]],
) -> None:
    """Hand every batch of a fetch to `handle`, at the same time, so that they wait for Kafka together."""
    if len(fetch.batches) == 1:
        await fold_for_ever(name, fetch.batches[0], handle, tables, folded)
    else:
        await asyncio.gather(*(fold_for_ever(name, batch, handle, tables, folded) for batch in fetch.batches))


async def fold_for_ever(
    name: str,
    batch: RecordBatch,
    handle: Callable[[RecordBatch], Awaitable[None]],
    tables: Sequence[BatchTable],
    folded: Callable[[], Awaitable[None]],
) -> None:
    """Hand what `tables` do not have of `batch` to `handle` until it is folded, then say so.

    They may have all of it: reading began where another agent of this process needed it.

    Raises:
        CancelledError: it was cancelled; nothing else.
    """
    pause = 0.1
    while (applied := lowest((table.applied(batch.partition) for table in tables), default=0)) is not None:
        rest = batch.beyond(applied)
        if rest is None:
            return
        try:
            await handle(rest)
        except NotHeld:
            return
        except Exception:
            log.exception("a batch could not be folded, trying again", agent=name, partition=batch.partition)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
        else:
            await folded()
            return


class Folds:
    """The batches that are being folded now. Shut until `open`: what comes meanwhile is dropped, and is read again."""

    def __init__(self) -> None:
        self._open = False
        self._running: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Partitions are held and sought: batches may be folded."""
        self._open = True

    async def run(self, fold: Coroutine[None, None, None]) -> None:
        """Run a fold to its end, unless it is shut or has to be given up."""
        if not self._open:
            fold.close()
            return
        task = asyncio.create_task(fold)
        self._running.add(task)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._running.discard(task)
        if not task.cancelled():
            task.result()

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Let no other fold begin, and wait for those that run. One that Kafka keeps from ending is given up.

        Giving up is safe: whoever holds the partition next folds the batch again.
        """
        self._open = False
        running = set(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("batches could not be folded to their end before their partitions went", batches=len(late))
            await asyncio.wait(late)
