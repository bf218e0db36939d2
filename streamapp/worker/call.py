"""Runs one handler: under its timeout, with nothing of it escaping into the worker.

In: a run that has its slot. Out: an Outcome, always. The one place where a handler's exception becomes a value; not
even SystemExit or KeyboardInterrupt raised by a handler ends the worker. Never touches a broker.
"""

import asyncio
from dataclasses import dataclass, field, replace

from streamapp import failpoints
from streamapp.clock import Clock
from streamapp.domain import outcome
from streamapp.domain.outcome import Completed, Failed, Outcome
from streamapp.failpoints import Gap
from streamapp.handlers import Context, Environment, Handler, Handlers
from streamapp.metrics.worker import WorkerMetrics
from streamapp.wire.sealing import Sealer, redact
from streamapp.worker.parameters import open_sealed
from streamapp.worker.results import to_json
from streamapp.worker.run import Run
from streamapp.worker.slots import Slot


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls handlers.

    Attributes:
        cancel_grace_seconds: how long a handler may take to end once it is cancelled.
        max_result_bytes: larger results are replaced by size and digest.
    """

    handlers: Handlers
    sealer: Sealer | None
    environment: Environment
    clock: Clock
    cancel_grace_seconds: float
    max_result_bytes: int
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)

    async def call(self, run: Run, slot: Slot) -> tuple[Outcome, int]:
        """What came of it, and how many milliseconds it took. Frees `slot` when the handler has really ended, unless it
        ran alone: then `slot` is the caller's to free, once the outcome is kept.

        Cancelled itself, it cancels the handler and gives it the same grace to end.
        """
        begun = self.clock.monotonic()
        task = asyncio.create_task(self._contained(run), name=f"handler {run.job.message_id}")
        try:
            result = await self._under_timeout(task, run.job.timeout_seconds)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task}, timeout=self.cancel_grace_seconds)
            raise
        finally:
            if task.done():
                if not slot.alone:  # the next handler may be what kills, and must not find this one without an outcome
                    slot.free()
            else:
                self._leave(task, run, slot)
        seconds = self.clock.monotonic() - begun
        self.metrics.type(run.job.type).handler.observe(seconds)
        return result, max(round(seconds * 1000), 0)

    async def _under_timeout(self, task: asyncio.Task[Outcome], seconds: float) -> Outcome:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return _outcome_of(task)
        task.cancel()
        await asyncio.wait({task}, timeout=self.cancel_grace_seconds)
        return outcome.timed_out(seconds)

    def _leave(self, task: asyncio.Task[Outcome], run: Run, slot: Slot) -> None:
        """The handler ignores its cancellation. It keeps its slot until it ends; its outcome is not waited for."""
        run.log.error("the handler ignores its cancellation and keeps its slot until it ends")
        slot.abandon()
        task.add_done_callback(lambda _: slot.free())

    async def _contained(self, run: Run) -> Outcome:
        """Whatever happens in a handler is returned, never raised: asyncio lets SystemExit through a task otherwise."""
        handler = self.handlers.get(run.job.type)
        if handler is None:
            return outcome.unknown_handler(run.job.type)
        secrets: tuple[str, ...] = ()
        try:
            opened, secrets = open_sealed(run.job, handler.task_type, self.sealer)
            params = handler.parse(opened)
            failpoints.reached(Gap.IN_HANDLER)
            result = to_json(await handler(params, self._context(run, handler)), self.max_result_bytes)
            failpoints.reached(Gap.AFTER_EFFECT)
            return Completed(redact(result, secrets) if secrets else result)
        except GeneratorExit:  # the coroutine itself is being closed
            raise
        except BaseException as error:  # SystemExit, KeyboardInterrupt, CancelledError: the handler's, not the worker's
            return _redacted(_failed(error), secrets)

    def _context(self, run: Run, handler: Handler) -> Context:
        job = run.job
        return Context(
            task_id=job.task_id,
            attempt=job.attempt,
            type=job.type,
            idempotency_key=job.task_id,
            redelivered=run.redelivered,
            log=run.log.bind(handler=handler.name),
            environment=self.environment,
        )


def _outcome_of(task: asyncio.Task[Outcome]) -> Outcome:
    if task.cancelled():
        return _failed(asyncio.CancelledError())
    error = task.exception()
    return task.result() if error is None else _failed(error)


def _failed(error: BaseException) -> Failed:
    try:
        return outcome.from_exception(error)
    except BaseException:  # an exception whose text cannot even be asked for
        return Failed(outcome.cut(type(error).__name__, 200), "<no message>", retryable=True)


def _redacted(failed: Failed, secrets: tuple[str, ...]) -> Failed:
    if not secrets:
        return failed
    return replace(
        failed, error_type=redact(failed.error_type, secrets), message=outcome.cut(redact(failed.message, secrets))
    )
