"""Errors with a meaning: poison (never try again) and pressure (try later) are different types."""


class StreamappError(Exception):
    """Whatever streamapp raises on purpose."""


class HandlerFailure(StreamappError):
    """Raised by handlers. `error_type` groups failures in the diary; without it the class name does."""

    def __init__(self, message: str, *, error_type: str | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type


class PermanentFailure(HandlerFailure):
    """Trying again cannot help: the attempt is the last one."""


class RetryableFailure(HandlerFailure):
    """Trying again may help: the policy decides."""


class Unavailable(StreamappError):
    """A broker cannot be reached or did not answer in time: pressure, not poison. Try again later."""


class OutcomeUnknown(Unavailable):
    """Something was handed to a broker and never acknowledged: it may or may not have happened."""


class Refused(StreamappError):
    """Nothing was handed over: the broker is known to be down."""


class ConfigurationError(StreamappError):
    """A setting or the state of a broker makes it unsafe to run. The message names it and says what to do."""
