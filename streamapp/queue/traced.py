"""Every job that is published as a span of its task's trace; there only while traces are wanted.

In: jobs. Out: the same ones, with the place of this span for whoever runs them. Its id is derived from task and
attempt: a job that is published again is the same dispatch, and the next attempt can be linked to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from streamapp.domain.errors import StreamappError
from streamapp.queue.publisher import Publisher
from streamapp.tracing import Kind, Span, Tracing
from streamapp.tracing.context import dispatch_of, dispatch_span_id, parse, trace_id_of
from streamapp.wire.jobs import Job


@dataclass(frozen=True, slots=True)
class TracedPublisher:
    """A publisher around another one."""

    publisher: Publisher
    tracing: Tracing

    @property
    def connected(self) -> bool:
        """See `Publisher.connected`."""
        return self.publisher.connected

    async def start(self) -> None:
        """See `Publisher.start`."""
        await self.publisher.start()

    async def close(self) -> None:
        """See `Publisher.close`."""
        await self.publisher.close()

    async def publish_all(self, window: Sequence[tuple[str, Job]]) -> list[StreamappError | None]:
        """See `Publisher.publish_all`. One that is not confirmed leaves no span: it is made again under the same id."""
        spans = [self._begin(queue, job) for queue, job in window]
        placed = [
            (queue, msgspec.structs.replace(job, traceparent=span.traceparent))
            for (queue, job), span in zip(window, spans, strict=True)
        ]
        answers = await self.publisher.publish_all(placed)
        for span, error in zip(spans, answers, strict=True):
            if error is None:
                span.end()
        return answers

    def _begin(self, queue: str, job: Job) -> Span:
        within = parse(job.traceparent)
        trace_id = trace_id_of(job.task_id) if within is None else within.trace_id
        return self.tracing.begin(
            "dispatch",
            Kind.PRODUCER,
            parent=job.traceparent,
            links=(dispatch_of(trace_id, job.task_id, job.attempt - 1),) if job.attempt > 1 else (),
            trace_id=trace_id,
            span_id=dispatch_span_id(job.task_id, job.attempt),
            attributes={
                "messaging.system": "rabbitmq",
                "messaging.destination.name": queue,
                "messaging.message.id": job.message_id,
                "streamapp.task.id": job.task_id,
                "streamapp.task.attempt": job.attempt,
                "streamapp.task.type": job.type,
            },
        )


def traced(publisher: Publisher, tracing: Tracing) -> Publisher:
    """`publisher`, with a span for every job if anything is traced."""
    return TracedPublisher(publisher, tracing) if tracing.on else publisher
