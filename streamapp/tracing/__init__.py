"""Traces: one for each task, from its submission to its last fact, with links across its attempts. Off by default.

In: what begins and ends, told by wrappers around the doors, which are only there while traces are wanted. Out: spans,
to a collector. The trace travels as a W3C traceparent in facts and jobs, where it is carried whether anything is traced
or not. A replay traces nothing: only what causes something has a wrapper.
"""

from streamapp.tracing.opening import tracing
from streamapp.tracing.spans import OFF, Kind, Off, Span, Tracing

__all__ = ["OFF", "Kind", "Off", "Span", "Tracing", "tracing"]
