"""Tracing by OpenTelemetry. The only module that knows it; imported only where traces are wanted.

Spans are gathered and sent from a thread of its own. What a collector that is away does not take is dropped: a trace is
for looking at, the truth is in the diary.
"""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from urllib.parse import urlsplit

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from streamapp.domain.errors import ConfigurationError
from streamapp.tracing.context import Context, parse
from streamapp.tracing.spans import Attributes, Kind, Span

SCOPE = "streamapp"
TRACES_PATH = "/v1/traces"
"""Where a collector takes traces, if an address names no path (OTLP specification, OTLP/HTTP request)."""

EXPORT_SECONDS = 5.0
STOP_SECONDS = 3.0
"""How long the end of a process may wait for a collector."""

_KINDS = {
    Kind.SERVER: trace.SpanKind.SERVER,
    Kind.PRODUCER: trace.SpanKind.PRODUCER,
    Kind.CONSUMER: trace.SpanKind.CONSUMER,
    Kind.INTERNAL: trace.SpanKind.INTERNAL,
}

_trace_id: ContextVar[int | None] = ContextVar("trace id of the span that begins", default=None)
_span_id: ContextVar[int | None] = ContextVar("id of the span that begins", default=None)


class ChosenIds(RandomIdGenerator):
    """Ids that were chosen for the span that begins at this moment, random ones for any other."""

    def generate_trace_id(self) -> int:
        """Of a span without a parent."""
        return _trace_id.get() or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Of any span."""
        return _span_id.get() or super().generate_span_id()

    def is_trace_id_random(self) -> bool:
        """Not always: W3C's flag that says so stays unset."""
        return False


def collector(endpoint: str) -> SpanProcessor:
    """Gathers spans and sends them to a collector by OTLP over HTTP.

    Raises:
        ConfigurationError: `endpoint` is no URL of http or https.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            "STREAMAPP_TRACING__ENDPOINT must be the URL of a collector, like http://127.0.0.1:4318"
        )
    if parts.path in ("", "/"):
        parts = parts._replace(path=TRACES_PATH)
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=parts.geturl(), timeout=EXPORT_SECONDS))


def provider(resource: Mapping[str, str], sample_ratio: float, processor: SpanProcessor) -> TracerProvider:
    """Makes spans of `resource` for `processor`. A caller's decision to sample or not is followed."""
    made = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
        resource=Resource.create(dict(resource)),
        shutdown_on_exit=False,
        id_generator=ChosenIds(),
    )
    made.add_span_processor(processor)
    return made


class SdkSpan:
    """A span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = str(Context(context.trace_id, context.span_id, context.trace_flags))

    def note(self, attributes: Attributes) -> None:
        """See `Span.note`."""
        self._span.set_attributes(dict(attributes))

    def fail(self, reason: str) -> None:
        """See `Span.fail`."""
        self._span.set_attribute("error.type", reason)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        """See `Span.end`."""
        self._span.end()

    @contextmanager
    def current(self) -> Iterator[None]:
        """See `Span.current`."""
        token = contexts.attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            contexts.detach(token)


class SdkTracing:
    """Spans of one process."""

    on = True

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE)

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: str | None = None,
        links: Sequence[Context] = (),
        trace_id: int | None = None,
        span_id: int | None = None,
        attributes: Attributes | None = None,
    ) -> Span:
        """See `Tracing.begin`."""
        within = parse(parent)
        place = contexts.Context() if within is None else trace.set_span_in_context(_remote(within), contexts.Context())
        chosen = _trace_id.set(trace_id), _span_id.set(span_id)
        try:
            span = self._tracer.start_span(
                name,
                place,
                _KINDS[kind],
                attributes,
                [trace.Link(_remote(link).get_span_context()) for link in links],
            )
        finally:
            _trace_id.reset(chosen[0])
            _span_id.reset(chosen[1])
        return SdkSpan(span)

    async def start(self) -> None:
        """Make spans that handlers begin by themselves, with instrumented libraries, go the same way."""
        trace.set_tracer_provider(self._provider)

    async def stop(self) -> None:
        """See `Tracing.stop`. A thread, and nobody's task: the end of the process may not wait for it."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="end of tracing", daemon=True).start()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await done.wait()
        except TimeoutError:
            return  # what the collector has not taken by now is dropped


def _remote(context: Context) -> trace.NonRecordingSpan:
    """Somebody else's span."""
    return trace.NonRecordingSpan(
        trace.SpanContext(
            context.trace_id, context.span_id, is_remote=True, trace_flags=trace.TraceFlags(context.flags)
        )
    )
