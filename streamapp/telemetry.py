"""Logs: structured fields on the standard library's logging, written here only.

`log(logger).info("text", task="…", attempt=1)`: on a terminal readable text, elsewhere one JSON object a line. Payloads
never appear; control characters in values are escaped, so that a task id cannot forge a line.
"""

import json
import logging
import logging.config
import sys
from collections.abc import Mapping
from typing import Any, Literal

from streamapp.clock import rfc3339

_FIELDS = "streamapp_fields"


class Log:
    """A logger whose keyword arguments become fields of the line."""

    def __init__(self, logger: logging.Logger, fields: Mapping[str, Any] | None = None) -> None:
        self._logger = logger
        self._fields = dict(fields or {})

    def bind(self, **fields: Any) -> "Log":
        """The same log with more fields on every line."""
        return Log(self._logger, {**self._fields, **fields})

    def debug(self, message: str, **fields: Any) -> None:
        """Detail for somebody who looks for a fault."""
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """What an operator wants to see in good times."""
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Something failed and will be tried again, or was refused."""
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Somebody should look."""
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, **fields: Any) -> None:
        """An error with the traceback of the exception being handled: for faults of streamapp itself."""
        self._logger.error(message, exc_info=True, extra={_FIELDS: {**self._fields, **fields}})

    def _write(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={_FIELDS: {**self._fields, **fields}})


def get_log(name: str, **fields: Any) -> Log:
    """The log of a module; `fields` go on every line."""
    return Log(logging.getLogger(name), fields)


def describe(error: BaseException) -> str:
    """An exception in one line, for a log field."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Formatter(logging.Formatter):
    def __init__(self, common: Mapping[str, Any]) -> None:
        super().__init__()
        self._common = dict(common)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        return {**self._common, **getattr(record, _FIELDS, {})}


class JsonFormatter(_Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(_Formatter):
    """Readable text: time, level, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = " ".join(f"{name}={_plain(value)}" for name, value in self._fields(record).items())
        message = _escape(record.getMessage())
        line = f"{rfc3339(int(record.created * 1000))} {record.levelname:<7} {message}"
        line = f"{line}  {fields}" if fields else line
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


Format = Literal["auto", "json", "text"]

NOISY = ("aiokafka", "aiormq", "aio_pika", "faust", "mode", "aiohttp.access", "opentelemetry", "urllib3")
"""Libraries that say at INFO what only their authors want to know; heard from WARNING on."""

FAUST_SERVICES = ("streamapp.stream.changelog", "streamapp.stream.recovery", "streamapp.stream.transport")
"""Where services of Faust are overridden: heard from WARNING on, too."""


REPEAT_SECONDS = 10.0


class OncePerWhile(logging.Filter):
    """Lets a noisy library say a thing once in REPEAT_SECONDS: with a broker away they say it 100 times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written. Lines of streamapp itself always are."""
        if not record.name.startswith(NOISY):
            return True
        key = (record.name, str(record.msg)[:80])
        if record.created - self._said.get(key, 0.0) < REPEAT_SECONDS:
            return False
        if len(self._said) > 1000:
            self._said.clear()
        self._said[key] = record.created
        return True


def formatter(format: Format, role: str, instance: str) -> logging.Formatter:
    """The formatter of every line: `auto` is readable text on a terminal and JSON elsewhere."""
    readable = format == "text" or (format == "auto" and sys.stderr.isatty())
    return (TextFormatter if readable else JsonFormatter)({"role": role, "instance": instance})


def configure(format: Format, level: str, *, role: str, instance: str) -> None:
    """Send every log of this process to standard error in one format, with role and instance on each line."""
    logging.config.dictConfig(logging_config(format, role=role, instance=instance, level=level))


def logging_config(format: Format, *, role: str, instance: str, level: str | None = None) -> dict[str, Any]:
    """`configure` as a dictionary for `logging.config`; without `level` for Faust, which adds what `-l` says."""
    stamp = {"()": formatter, "format": format, "role": role, "instance": instance}
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"default": stamp},
        "filters": {"once": {"()": OncePerWhile}},
        "handlers": {
            "default": {
                "class": "logging.StreamHandler",
                "formatter": "default",
                "filters": ["once"],
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {name: {"level": "WARNING"} for name in (*NOISY, *FAUST_SERVICES)},
    }
    return {**config, "merge": True} if level is None else {**config, "root": {"level": level, "handlers": ["default"]}}


def _plain(value: Any) -> str:
    text = _escape(str(value))
    return f'"{text}"' if " " in text or not text else text


def _escape(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
