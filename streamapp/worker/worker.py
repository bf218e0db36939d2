"""Takes deliveries and supervises what becomes of them.

In: deliveries, from the consumer's callback. Out: one supervised task per job. A redelivery of a job that runs here
joins it. Never runs a handler in the callback: the consumer's library cancels its callbacks when a channel dies, in the
middle of the effect (`reliability`, decision 4).
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from streamapp.clock import Clock
from streamapp.metrics.worker import WorkerMetrics
from streamapp.telemetry import Log, describe
from streamapp.wire import jobs
from streamapp.wire.facts import Undecodable
from streamapp.wire.jobs import Job
from streamapp.worker.run import Delivery, Executing, Key, Run, Stage

FAULT_PAUSE_SECONDS = 5.0
"""A job that streamapp itself stumbles over is handed back after this, so that it does not spin."""


class Worker:
    """The runs of this process, by task id and attempt."""

    def __init__(self, pipeline: Executing, clock: Clock, log: Log, metrics: WorkerMetrics | None = None) -> None:
        self._pipeline = pipeline
        self._metrics = metrics or WorkerMetrics()
        self._clock = clock
        self._log = log
        self._runs: dict[Key, Run] = {}
        self._settling: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def waiting(self) -> list[Key]:
        """Jobs that are held and do not run yet."""
        return [key for key, run in self._runs.items() if run.stage is Stage.WAITING and run.claim is None]

    @property
    def held(self) -> int:
        """Jobs in hand, in whatever stage."""
        return len(self._runs)

    def on_delivery(self, delivery: Delivery) -> None:
        """Hand the delivery to its run; returns at once."""
        self._metrics.delivered(delivery.redelivered)
        if self._stopping:
            self._settle("requeue", delivery.requeue())
            return
        try:
            job = jobs.decode(delivery.body)
        except Undecodable as error:
            self._log.error("not a job: dead-lettered", queue=delivery.queue, reason=describe(error))
            self._settle("dead_letter", delivery.dead_letter())
            return
        run = self._runs.get((job.task_id, job.attempt))
        if run is not None:
            run.log.info("delivered again while it is in hand: joined")
            run.deliveries.append(delivery)
            return
        self._begin(job, delivery)

    async def stop(self, grace_seconds: float, hurry: asyncio.Event) -> None:
        """Hand back what waits, let the rest end within `grace_seconds` or until `hurry`, hand back what is left."""
        self._stopping = True
        # Race: a job may have come in this very turn, and a task that is cancelled before its first step runs no line.
        await asyncio.sleep(0)
        self._cancel([run for run in self._runs.values() if run.stage is Stage.WAITING])
        hurried = asyncio.create_task(hurry.wait())
        ending = asyncio.create_task(self._ended())
        await asyncio.wait({hurried, ending}, timeout=grace_seconds, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if self._runs:
            self._log.warning("not ended in time: handed back", jobs=len(self._runs))
        self._cancel(list(self._runs.values()))
        await ending

    def _begin(self, job: Job, delivery: Delivery) -> None:
        published = delivery.published_at_ms
        age_seconds = 0.0 if published is None else (self._clock.now_ms() - published) / 1000
        log = self._log.bind(task=job.task_id, attempt=job.attempt, type=job.type)
        run = Run(job, [delivery], delivery.redelivered, age_seconds, log)
        self._runs[run.key] = run
        run.task = asyncio.create_task(self._supervise(run), name=f"run {job.message_id}")

    async def _supervise(self, run: Run) -> None:
        try:
            await self._pipeline.execute(run)
        except asyncio.CancelledError:
            # Only `stop` cancels a run, and only once: what follows is not interrupted.
            await self._pipeline.hand_back(run)
        except Exception:
            run.log.exception("a fault of streamapp: the job is handed back")
            run.free_slot()
            await self._pause()
            await self._pipeline.hand_back(run)
        finally:
            del self._runs[run.key]

    async def _pause(self) -> None:
        try:
            await self._clock.sleep(FAULT_PAUSE_SECONDS)
        except asyncio.CancelledError:
            return  # `stop` shortens the pause; handing back is what comes next anyway

    def _cancel(self, runs: list[Run]) -> None:
        for run in runs:
            if run.task is not None and not run.task.cancelling():
                run.task.cancel()

    async def _ended(self) -> None:
        """Wait for every run and every settlement under way."""
        while tasks := [*(run.task for run in self._runs.values() if run.task is not None), *self._settling]:
            await asyncio.wait(tasks)

    def _settle(self, how: str, settling: Coroutine[Any, Any, bool]) -> None:
        async def settle() -> None:
            self._metrics.settled(how, await settling)

        task = asyncio.create_task(settle())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
