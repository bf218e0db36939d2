"""streamapp: background tasks through RabbitMQ, with the whole truth about them in Kafka."""

from typing import Any


def __getattr__(name: str) -> Any:
    # `faust -A streamapp` looks for `streamapp.app`. Built only when asked for, so that the api and the worker, which
    # live in this package too, never load Faust.
    if name == "app":
        from streamapp.domain.errors import ConfigurationError

        try:
            from streamapp.application import app
        except ConfigurationError as error:
            raise SystemExit(f"streamapp: {error}") from None  # one line, not Faust's and click's traceback
        from streamapp import event_loop

        event_loop.install()
        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
