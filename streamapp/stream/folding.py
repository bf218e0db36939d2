"""The loop around every agent's work on a batch: nothing escapes from it.

Faust acknowledges the event of an agent that raises, and goes on without it (`faust-study.md`, F1). So a batch that
fails is tried again in place until it succeeds or the partition is taken away. What is being folded at this moment is
known here and nowhere else: a rebalance and the end of the process wait for that, and for nothing that merely lies in
an agent's queue.

One failure is not tried again: a full disk. RocksDB refuses every further write of a table that has met it, also when
there is room again, until its files are opened anew. So the process ends, and whoever starts it again folds the batch.
"""

import asyncio
import errno
import gc
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import NoReturn

from streamapp.metrics.stream import AgentMetrics
from streamapp.stream.batch import RecordBatch
from streamapp.stream.table import BatchTable, NotHeld
from streamapp.telemetry import describe, get_log

log = get_log(__name__)

MAX_PAUSE_SECONDS = 10.0
YOUNG_OBJECTS = 50_000
"""So many new objects before the garbage collector looks at them.

A fold makes dozens a fact and drops them with the batch: at Python's 700 the collector goes through those that are
still needed again and again, which takes up to a quarter of the time.
"""

CLOSE_SECONDS = 10.0
"""How long a batch may still take when its partition is to be given up: well below the rebalance timeout."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


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


async def fold_for_ever(
    name: str, batch: RecordBatch, handle: Callable[[RecordBatch], Awaitable[None]], tables: Sequence[BatchTable]
) -> None:
    """Hand `batch` to `handle` until it is folded. Raises only when cancelled; ends the process if a disk is full."""
    pause = 0.1
    while all(table.applied(batch.partition) is not None for table in tables):
        try:
            await handle(batch)
        except NotHeld:
            return
        except Exception as error:
            if no_room(error):
                end_without_room(error)
            log.exception("a batch could not be folded, trying again", agent=name, partition=batch.partition)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
        else:
            return


def no_room(error: Exception) -> bool:
    """Whether a disk is full, or the share of it that may be used. RocksDB's own errors say so in words only."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return type(error) is Exception and any(os.strerror(number) in str(error) for number in NO_ROOM)


def end_without_room(error: Exception) -> NoReturn:
    """Say what to do, and end the process with status 1, at once: on its way out Faust would acknowledge the batch.

    Nothing is lost: what is not in the tables is in the topic, and read again from where the tables have got to.
    """
    log.error(
        "no room for the tables, this process ends: make room where the error says, or move the folder of "
        "STREAMAPP_DATA_DIRECTORY to a larger disk, and start it again; it goes on from what is stored",
        error=describe(error),
    )
    os._exit(1)


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

        Giving up is safe: what it has written in part is written again by whoever folds the batch next.
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
