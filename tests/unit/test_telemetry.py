"""Log lines: one event is one line, whatever stands in it."""

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.clock import rfc3339
from streamapp.telemetry import (
    NOISY,
    JsonFormatter,
    OncePerWhile,
    TextFormatter,
    configure,
    describe,
    formatter,
    get_log,
)
from tests.support.wire import texts

COMMON = {"role": "worker", "instance": "host-1"}
FORGED = 'evt-1\n2026-01-01T00:00:00Z ERROR forged\r\x1b[2J\x00\u2028\u2029\x85"'


class Lines(logging.Handler):
    """Keeps what a formatter makes of each record."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def logger():
    """A logger of its own, which says everything and hands nothing on."""
    made = logging.Logger("streamapp.test", logging.DEBUG)
    made.propagate = False
    return made


def _said(logger: logging.Logger, kind: type[logging.Formatter], message: str, **fields) -> str:
    handler = Lines(kind(COMMON))
    logger.addHandler(handler)
    _log(logger).info(message, **fields)
    logger.removeHandler(handler)
    (line,) = handler.lines
    return line


def _log(logger: logging.Logger):
    log = get_log("streamapp.test")
    log._logger = logger
    return log


def test_json_is_one_object_with_every_field(logger):
    line = _said(logger, JsonFormatter, "dispatched", task="evt-1", attempt=2, topic="t", partition=3, offset=42)
    document = json.loads(line)
    assert document.pop("time").endswith("Z")
    assert document == {
        "level": "info",
        "logger": "streamapp.test",
        "message": "dispatched",
        "role": "worker",
        "instance": "host-1",
        "task": "evt-1",
        "attempt": 2,
        "topic": "t",
        "partition": 3,
        "offset": 42,
    }


def test_text_is_readable(logger):
    line = _said(logger, TextFormatter, "→ Processing event: evt-1", task="evt-1", note="two words", empty="")
    time, level, rest = line.split(" ", 2)
    assert time.endswith("Z")
    assert level == "INFO"
    assert rest.endswith('role=worker instance=host-1 task=evt-1 note="two words" empty=""')
    assert "→ Processing event: evt-1" in rest


@pytest.mark.parametrize("kind", [JsonFormatter, TextFormatter])
def test_a_task_id_cannot_forge_a_line(logger, kind):
    line = _said(logger, kind, f"→ Processing event: {FORGED}", task=FORGED, nested={"id": FORGED}, items=[FORGED])
    assert "\n" not in line
    assert "\r" not in line
    assert "\x1b" not in line
    assert "\x00" not in line


def test_a_line_of_text_has_no_character_that_some_terminal_or_tool_takes_for_a_new_line(logger):
    assert len(_said(logger, TextFormatter, FORGED, task=FORGED).splitlines()) == 1


@given(texts, texts)
def test_json_says_exactly_what_was_said(message, value):
    logger = logging.Logger("streamapp.test", logging.DEBUG)
    document = json.loads(_said(logger, JsonFormatter, message.replace("%", ""), value=value))
    assert (document["message"], document["value"]) == (message.replace("%", ""), value)


@given(st.text(), st.text())
def test_text_is_one_printable_line_whatever_is_said(message, value):
    logger = logging.Logger("streamapp.test", logging.DEBUG)
    assert _said(logger, TextFormatter, message, value=value).isprintable()


def test_percent_signs_are_no_format(logger):
    assert json.loads(_said(logger, JsonFormatter, "100 %s %d"))["message"] == "100 %s %d"


def test_values_that_json_does_not_know_are_written_as_text(logger):
    document = json.loads(_said(logger, JsonFormatter, "x", error=ValueError("bad"), raw=b"\xff"))
    assert (document["error"], document["raw"]) == ("bad", "b'\\xff'")


def test_bound_fields_are_on_every_line_and_do_not_leak(logger):
    handler = Lines(JsonFormatter(COMMON))
    logger.addHandler(handler)
    log = _log(logger)
    log.bind(task="t-1").bind(attempt=1).warning("one", extra=5)
    log.error("two")
    first, second = map(json.loads, handler.lines)
    assert (first["task"], first["attempt"], first["extra"], first["level"]) == ("t-1", 1, 5, "warning")
    assert "task" not in second
    assert second["level"] == "error"


def test_what_is_below_the_level_is_not_written(logger):
    logger.setLevel(logging.WARNING)
    handler = Lines(JsonFormatter(COMMON))
    logger.addHandler(handler)
    _log(logger).debug("no")
    _log(logger).info("no")
    assert handler.lines == []


@pytest.mark.parametrize("kind", [JsonFormatter, TextFormatter])
def test_an_exception_comes_with_its_traceback(logger, kind):
    handler = Lines(kind(COMMON))
    logger.addHandler(handler)
    try:
        raise ValueError("bad")
    except ValueError:
        _log(logger).exception("fault", task="t-1")
    assert "Traceback" in handler.lines[0]
    assert "ValueError: bad" in handler.lines[0]
    if kind is JsonFormatter:
        assert "\n" not in handler.lines[0]


def test_an_exception_in_one_line():
    assert describe(ValueError("bad")) == "ValueError: bad"
    assert describe(TimeoutError()) == "TimeoutError"


def test_auto_is_json_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(formatter("auto", "api", "host-1"), JsonFormatter)
    assert isinstance(formatter("text", "api", "host-1"), TextFormatter)
    assert isinstance(formatter("json", "api", "host-1"), JsonFormatter)


def test_auto_is_text_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert isinstance(formatter("auto", "api", "host-1"), TextFormatter)


def test_configured_logs_go_to_standard_error_and_libraries_are_quiet(monkeypatch):
    root = logging.getLogger()
    before = (root.handlers[:], root.level, {name: logging.getLogger(name).level for name in NOISY})
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        configure("json", "INFO", role="api", instance="host-1")
        get_log("streamapp.some.module").info("hello", task="t-1")
        logging.getLogger("aiokafka").info("chatter")
        logging.getLogger("aiokafka").warning("trouble")
    finally:
        root.handlers[:], level, levels = before
        root.setLevel(level)
        for name, old in levels.items():
            logging.getLogger(name).setLevel(old)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["message"], line["role"]) for line in lines] == [("hello", "api"), ("trouble", "api")]


def test_times_are_rfc_3339_in_utc():
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"


def test_a_noisy_library_says_the_same_thing_once_in_a_while_and_streamapp_always_speaks() -> None:
    once = OncePerWhile()

    def written(name: str, text: str, at: float) -> bool:
        record = logging.LogRecord(name, logging.ERROR, "file", 1, text, None, None)
        record.created = at
        return once.filter(record)

    assert [written("aiokafka.conn", "no broker", at) for at in (100.0, 101.0, 111.0)] == [True, False, True]
    assert written("aiokafka.conn", "something else", 101.0)
    assert [written("streamapp.api", "task accepted", at) for at in (100.0, 100.1)] == [True, True]
