"""Every fact that is appended as a span of its task's trace; there only while traces are wanted.

In: facts. Out: the same ones, TaskAccepted with the place of its own span, from which everything follows that is done
about the task.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from streamapp.domain.facts import AnyFact, TaskAccepted
from streamapp.producer.log import FactLog, Position
from streamapp.tracing import Kind, Span, Tracing
from streamapp.tracing.context import Context, parse, trace_id_of


class OpenedLog(FactLog, Protocol):
    """A fact log that can say why it is not available."""

    @property
    def trouble(self) -> str | None:
        """The reason; None while available."""


@dataclass(frozen=True, slots=True)
class TracedFactLog:
    """A fact log around `log`, which whoever made it opens and closes."""

    log: OpenedLog
    tracing: Tracing

    @property
    def available(self) -> bool:
        """See `FactLog.available`."""
        return self.log.available

    @property
    def trouble(self) -> str | None:
        """Why it is not available; None if it is."""
        return self.log.trouble

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        """See `FactLog.append`."""
        spans = self._begin(facts)
        results = await self.log.append(_placed(facts, spans), timeout_seconds=timeout_seconds)
        for span, result in zip(spans, results, strict=True):
            _end(span, result)
        return results

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        """See `FactLog.append_durably`."""
        spans = self._begin(facts)
        positions = await self.log.append_durably(_placed(facts, spans))
        for span, position in zip(spans, positions, strict=True):
            _end(span, position)
        return positions

    def _begin(self, facts: Sequence[AnyFact]) -> list[Span]:
        """A span for each. Tasks that came together with one trace get one of their own each, linked to that."""
        came = Counter(fact.traceparent for fact in facts if isinstance(fact, TaskAccepted))
        return [self._span(fact, came[fact.traceparent] > 1) for fact in facts]

    def _span(self, fact: AnyFact, together: bool) -> Span:
        alone = not (together and isinstance(fact, TaskAccepted))
        context = parse(fact.traceparent)
        links: Sequence[Context] = () if alone or context is None else (context,)
        return self.tracing.begin(
            fact.NAME,
            Kind.PRODUCER,
            parent=fact.traceparent if alone else None,
            links=links,
            trace_id=trace_id_of(fact.task_id),
            attributes=_attributes(fact),
        )


def traced(log: OpenedLog, tracing: Tracing) -> FactLog:
    """`log`, with a span for every fact if anything is traced."""
    return TracedFactLog(log, tracing) if tracing.on else log


def _placed(facts: Sequence[AnyFact], spans: Sequence[Span]) -> list[AnyFact]:
    return [
        msgspec.structs.replace(fact, traceparent=span.traceparent) if isinstance(fact, TaskAccepted) else fact
        for fact, span in zip(facts, spans, strict=True)
    ]


def _attributes(fact: AnyFact) -> dict[str, str | int]:
    attempt = getattr(fact, "attempt", None)
    known = {"streamapp.task.attempt": attempt, "streamapp.task.type": getattr(fact, "type", None)}
    return {
        "messaging.system": "kafka",
        "streamapp.task.id": fact.task_id,
        "streamapp.fact.source": fact.source,
        **{name: value for name, value in known.items() if value is not None},
    }


def _end(span: Span, result: Position | Exception) -> None:
    if isinstance(result, Position):
        span.note(
            {
                "messaging.destination.name": result.topic,
                "messaging.destination.partition.id": str(result.partition),
                "messaging.kafka.offset": result.offset,
            }
        )
    else:
        span.fail(type(result).__name__)
    span.end()
