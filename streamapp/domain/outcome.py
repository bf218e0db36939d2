"""What came of one run of a handler: the closed set that everything after the run acts on.

One place makes an Outcome (`from_exception`, or `Completed` around a result); one place carries it out (the worker).
"""

from dataclasses import dataclass
from typing import TypeAlias

from streamapp.domain.errors import HandlerFailure, PermanentFailure
from streamapp.domain.facts import Json

MAX_MESSAGE_BYTES = 4096
"""An error message above this is cut, with a marker that says so."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned `result`."""

    result: Json


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler did not succeed. `counted` false: the attempt does not count against the policy."""

    error_type: str
    message: str
    retryable: bool
    counted: bool = True


Outcome: TypeAlias = Completed | Failed


def from_exception(error: BaseException) -> Failed:
    """A handler's exception as an outcome. Anything but PermanentFailure may be tried again, as queue users expect."""
    retryable = not isinstance(error, PermanentFailure)
    chosen = error.error_type if isinstance(error, HandlerFailure) else None
    return Failed(cut(chosen or type(error).__name__, 200), cut(_text(error)), retryable)


def timed_out(timeout_seconds: float) -> Failed:
    """The handler ran past its timeout."""
    return Failed("Timeout", f"the handler did not end within {timeout_seconds:g} s", retryable=True)


def workers_died(deaths: int) -> Failed:
    """Every worker that ran this job alone died of it (`reliability`: three dead workers are an outcome)."""
    return Failed("WorkersDied", f"{deaths} workers died while running only this job", retryable=False)


def too_old(age_seconds: float) -> Failed:
    """The job lay in the queue for longer than claims are remembered, so nothing could say whether it had run."""
    message = f"the job was published {age_seconds:.0f} s ago, longer than claims are kept; it was not run"
    return Failed("JobTooOld", message, retryable=True, counted=False)


def unknown_handler(type: str) -> Failed:
    """A registered type without a handler in this worker."""
    return Failed("NoHandler", f"no handler is bound to the registered type {cut(type, 200)!r}", retryable=True)


def cut(text: str, limit_bytes: int = MAX_MESSAGE_BYTES) -> str:
    """`text` as valid UTF-8 of at most `limit_bytes` bytes, with a marker where something was left out."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit_bytes:
        return encoded.decode("utf-8")
    marker = f"… [{len(encoded)} bytes]"
    kept = encoded[: max(limit_bytes - len(marker.encode()), 0)]
    return kept.decode("utf-8", "ignore") + marker


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # a handler's exception may fail even to print itself
        return f"<no message: {type(broken).__name__}>"
