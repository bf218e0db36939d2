"""Every run of a job as a span of its task's trace, with its handler inside; there only while traces are wanted.

In: runs. Out: the same runs, whose job carries the place of this span, so that the facts about the attempt follow from
it.
"""

import asyncio
from dataclasses import dataclass

import msgspec

from streamapp.domain.outcome import Failed, Outcome
from streamapp.tracing import Kind, Span, Tracing
from streamapp.tracing.context import dispatch_of, parse, trace_id_of
from streamapp.worker.pipeline import Pipeline
from streamapp.worker.run import Calling, Executing, Run
from streamapp.worker.slots import Slot


@dataclass(frozen=True, slots=True)
class TracedPipeline:
    """A pipeline around another one."""

    pipeline: Pipeline
    tracing: Tracing

    async def execute(self, run: Run) -> None:
        """See `Pipeline.execute`. The span lasts from the delivery to the ack, or until the job is handed back."""
        span = self._begin(run)
        run.job = msgspec.structs.replace(run.job, traceparent=span.traceparent)
        try:
            await self.pipeline.execute(run)
        except (Exception, asyncio.CancelledError) as error:
            span.fail(type(error).__name__)
            raise
        finally:
            _note(span, run)
            span.end()

    async def hand_back(self, run: Run) -> None:
        """See `Pipeline.hand_back`."""
        await self.pipeline.hand_back(run)

    def _begin(self, run: Run) -> Span:
        job = run.job
        within = parse(job.traceparent)
        trace_id = trace_id_of(job.task_id) if within is None else within.trace_id
        return self.tracing.begin(
            "execute",
            Kind.CONSUMER,
            parent=job.traceparent,
            links=(dispatch_of(trace_id, job.task_id, job.attempt - 1),) if job.attempt > 1 else (),
            trace_id=trace_id,
            attributes={
                "messaging.system": "rabbitmq",
                "messaging.message.id": job.message_id,
                "streamapp.task.id": job.task_id,
                "streamapp.task.attempt": job.attempt,
                "streamapp.task.type": job.type,
                "streamapp.worker.id": self.pipeline.worker,
                "streamapp.redelivered": run.redelivered,
            },
        )


@dataclass(frozen=True, slots=True)
class TracedCaller:
    """A caller around another one."""

    caller: Calling
    tracing: Tracing

    @property
    def cancel_grace_seconds(self) -> float:
        """See `Calling.cancel_grace_seconds`."""
        return self.caller.cancel_grace_seconds

    async def call(self, run: Run, slot: Slot) -> tuple[Outcome, int]:
        """See `Caller.call`. What instrumented libraries do inside the handler is part of its span."""
        span = self.tracing.begin("handle", Kind.INTERNAL, parent=run.job.traceparent)
        try:
            with span.current():
                outcome, duration_ms = await self.caller.call(run, slot)
            if isinstance(outcome, Failed):
                span.fail(outcome.error_type)
            return outcome, duration_ms
        except asyncio.CancelledError as error:
            span.fail(type(error).__name__)
            raise
        finally:
            span.end()


def _note(span: Span, run: Run) -> None:
    if isinstance(run.outcome, Failed):
        span.fail(run.outcome.error_type)
    if run.claim is not None:
        span.note({"streamapp.guard.epoch": run.claim.token.epoch, "streamapp.guard.claim": run.claim.token.claim})


def traced_caller(caller: Calling, tracing: Tracing) -> Calling:
    """`caller`, with a span for every handler if anything is traced."""
    return TracedCaller(caller, tracing) if tracing.on else caller


def traced_pipeline(pipeline: Pipeline, tracing: Tracing) -> Executing:
    """`pipeline`, with a span for every run if anything is traced."""
    return TracedPipeline(pipeline, tracing) if tracing.on else pipeline
