"""Failpoints: read strictly, silent when disarmed, deadly when reached for the n-th time."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from streamapp import failpoints
from streamapp.domain.errors import ConfigurationError
from streamapp.failpoints import GAPS, Gap
from streamapp.worker.pipeline import GAPS as STEPS
from streamapp.worker.pipeline import Pipeline

PASSING = """
from streamapp import failpoints
from streamapp.failpoints import Gap
failpoints.arm({setting!r})
for number in range(1, 4):
    print(number, flush=True)
    failpoints.reached(Gap.AFTER_CLAIM)
    failpoints.reached(Gap.AFTER_STARTED)
"""


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def passing(setting: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PASSING.format(setting=setting)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout


def test_kills_at_the_nth_passing() -> None:
    assert passing("after-claim=kill@2") == (-signal.SIGKILL, "1\n2\n")
    assert passing("after-started=kill, after-claim=block:0.001") == (-signal.SIGKILL, "1\n")
    assert passing("after-started=kill@4") == (0, "1\n2\n3\n")


def test_nothing_is_counted_when_disarmed() -> None:
    assert failpoints.arm("before-ack=kill@1") == (Gap.BEFORE_ACK,)
    assert failpoints.armed(Gap.BEFORE_ACK)
    assert failpoints.arm("") == ()
    failpoints.reached(Gap.BEFORE_ACK)  # or this test run is over
    assert not failpoints.armed(Gap.BEFORE_ACK)


@pytest.mark.parametrize(
    "setting", ["no-such-gap=kill", "after-claim", "after-claim=explode", "after-claim=kill@0", "after-claim=block:x"]
)
def test_a_setting_that_means_nothing_is_refused(setting: str) -> None:
    failpoints.arm("before-ack=kill@9")
    with pytest.raises(ConfigurationError, match="failpoints: "):
        failpoints.arm(setting)
    assert failpoints.armed(Gap.BEFORE_ACK)


def test_every_gap_belongs_to_a_role_and_every_step_has_one() -> None:
    assert {gap for gaps in GAPS.values() for gap in gaps} == set(Gap)
    assert all(callable(getattr(Pipeline, step)) for step in STEPS)
    assert set(STEPS.values()) <= set(GAPS["worker"])
