"""W3C Trace Context: a traceparent read and written, and ids that follow from a task's id. Pure.

A task whose submission brought no trace has one all the same, which every process knows: its id is derived from the
task's. So has the dispatch of each attempt, which is what lets an attempt be linked to the one before with nothing
stored.
"""

import hashlib
import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
"""W3C Trace Context, section 3.2: version ff and ids of zeros are invalid."""

SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class Context:
    """One span's place: the trace it is in, its own id, and the trace flags."""

    trace_id: int
    span_id: int
    flags: int = SAMPLED

    def __str__(self) -> str:
        """The traceparent."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"


def parse(traceparent: str | None) -> Context | None:
    """The place in a traceparent; None if it is none, which a stranger may have written."""
    found = None if traceparent is None else _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    return Context(int(found[1], 16), int(found[2], 16), int(found[3], 16))


def trace_id_of(task_id: str) -> int:
    """The trace of a task that came without one."""
    return _derived(16, task_id)


def dispatch_span_id(task_id: str, attempt: int) -> int:
    """The span of the dispatch of an attempt: the same whoever dispatches, and however often."""
    return _derived(8, task_id, str(attempt))


def dispatch_of(trace_id: int, task_id: str, attempt: int) -> Context:
    """The place of the dispatch of an attempt in the task's trace."""
    return Context(trace_id, dispatch_span_id(task_id, attempt))


def _derived(size: int, *parts: str) -> int:
    hasher = hashlib.blake2b(digest_size=size, person=b"streamapp.trace")
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hasher.update(len(encoded).to_bytes(4, "big") + encoded)
    return int.from_bytes(hasher.digest(), "big") or 1
