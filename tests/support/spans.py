"""Spans gathered in memory, and asked about."""

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streamapp.tracing.sdk import SdkTracing, provider


class Spans:
    """A tracing whose spans stay here."""

    def __init__(self, sample_ratio: float = 1.0) -> None:
        self._memory = InMemorySpanExporter()
        self.tracing = SdkTracing(provider({"service.name": "test"}, sample_ratio, SimpleSpanProcessor(self._memory)))

    @property
    def all(self) -> Sequence[ReadableSpan]:
        """What has ended, in that order."""
        return self._memory.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.all]

    def one(self, name: str) -> ReadableSpan:
        """The only span of that name."""
        (span,) = [span for span in self.all if span.name == name]
        return span

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]


def place(span: ReadableSpan) -> str:
    """The span's traceparent."""
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def parent(span: ReadableSpan) -> str | None:
    """The parent's traceparent."""
    if span.parent is None:
        return None
    return f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-{span.parent.trace_flags:02x}"


def trace(span: ReadableSpan) -> int:
    """The trace it is in."""
    context = span.get_span_context()
    assert context is not None
    return int(context.trace_id)


def links(span: ReadableSpan) -> list[tuple[int, int]]:
    """Trace and span of each link."""
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def known(span: ReadableSpan) -> dict[str, object]:
    """Its attributes."""
    return dict(span.attributes or {})
