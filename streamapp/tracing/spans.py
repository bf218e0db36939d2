"""What tracing promises, whoever stands behind it, and what stands there by default: nothing."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Protocol, TypeAlias

from streamapp.tracing.context import Context

Attributes: TypeAlias = Mapping[str, str | int | float | bool]


class Kind(Enum):
    """What a span is to others: OpenTelemetry's words."""

    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    INTERNAL = "internal"


class Span(Protocol):
    """Something that has begun. It is told of when it ends, and not at all if it never does."""

    @property
    def traceparent(self) -> str:
        """For what follows from it."""

    def note(self, attributes: Attributes) -> None:
        """What is known of it meanwhile. Never a payload, a result or an error's message."""

    def fail(self, reason: str) -> None:
        """It came to nothing: the type of the error, in a word."""

    def end(self) -> None:
        """It is over."""

    def current(self) -> AbstractContextManager[None]:
        """Inside, instrumented libraries take it for the parent of what they do."""


class Tracing(Protocol):
    """Makes spans. `on` is False where nothing would come of them, so that no wrapper is put around anything."""

    on: bool

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
        """A span begins now.

        Args:
            name: of a bounded set.
            kind: what it is to others.
            parent: a traceparent; what is none counts as none.
            links: what it has to do with besides.
            trace_id: of the trace that begins with it if it has no parent; default: a random one.
            span_id: its own id; default: a random one.
            attributes: what is known of it now.
        """

    async def start(self) -> None:
        """Nothing has to be opened."""

    async def stop(self) -> None:
        """Hand over what has ended, within a bound; from now on nothing is traced."""


class Off:
    """Traces nothing."""

    on = False

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
        """Raises RuntimeError: whoever asks has not looked at `on`."""
        raise RuntimeError("nothing is traced: a wrapper was put around something for nothing")

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""


OFF = Off()
