"""What comes of a run: every exception becomes one outcome, and texts stay small and valid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.domain import outcome
from streamapp.domain.errors import HandlerFailure, PermanentFailure, RetryableFailure


class Mute(Exception):
    """An exception that cannot even print itself."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("bad"), outcome.Failed("ValueError", "bad", True)),
        (PermanentFailure("never"), outcome.Failed("PermanentFailure", "never", False)),
        (PermanentFailure("never", error_type="NoAddress"), outcome.Failed("NoAddress", "never", False)),
        (RetryableFailure("soon", error_type="Busy"), outcome.Failed("Busy", "soon", True)),
        (HandlerFailure("well", error_type="Own"), outcome.Failed("Own", "well", True)),
        (TimeoutError(), outcome.Failed("TimeoutError", "", True)),
        (Mute(), outcome.Failed("Mute", "<no message: RuntimeError>", True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_becomes_an_outcome(error, expected):
    assert outcome.from_exception(error) == expected


def test_what_is_nobody_s_fault_is_not_counted():
    assert outcome.too_old(900_000).counted is False
    assert outcome.too_old(900_000).retryable
    assert not outcome.workers_died(3).retryable
    assert outcome.timed_out(1.5).message == "the handler did not end within 1.5 s"
    assert outcome.unknown_handler("X").retryable


@given(st.text(st.characters(), max_size=400) | st.text("a\U0001f600\ud800\x00", max_size=400), st.integers(40, 600))
def test_cut_text_is_valid_and_within_its_bytes(text, limit):
    short = outcome.cut(text, limit)
    assert len(short.encode()) <= limit
    if len(text.encode("utf-8", "replace")) <= limit:
        assert short == text.encode("utf-8", "replace").decode()
    else:
        assert short.endswith("bytes]")


def test_a_huge_message_is_cut():
    failed = outcome.from_exception(ValueError("x" * 100_000))
    assert len(failed.message) <= outcome.MAX_MESSAGE_BYTES
    assert failed.message.endswith("… [100000 bytes]")
