"""The broker's time, kept by a machine whose own clock may be set wrong; and times as text."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.clock import BrokerClock, milliseconds_of, rfc3339


class Machine:
    """A clock that can be set."""

    def __init__(self) -> None:
        self.wall_ms, self.running = 1_000_000, 50.0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic(self) -> float:
        return self.running

    async def sleep(self, seconds: float) -> None:
        self.running += seconds
        self.wall_ms += round(seconds * 1000)


def test_machines_clock_is_right_until_the_broker_has_spoken() -> None:
    machine = Machine()
    clock = BrokerClock(machine)
    asyncio.run(clock.sleep(2.5))
    assert (clock.now_ms(), clock.heard) == (1_002_500, False)


def test_setting_the_machines_clock_changes_nothing() -> None:
    machine = Machine()
    clock = BrokerClock(machine)
    machine.wall_ms += 3_600_000
    asyncio.run(clock.sleep(1.0))
    assert clock.now_ms() == 1_001_000


def test_clock_that_is_behind_is_set_to_what_the_broker_told() -> None:
    machine = Machine()
    machine.wall_ms -= 3_600_000
    clock = BrokerClock(machine)
    assert clock.hear(1_000_000, since=machine.running) == -3_600_000
    asyncio.run(clock.sleep(4.0))
    assert (clock.now_ms(), clock.heard, clock.monotonic()) == (1_004_000, True, 54.0)


def test_clock_that_is_ahead_is_set_to_the_latest_that_may_be_true() -> None:
    machine = Machine()
    machine.wall_ms += 3_600_000
    clock = BrokerClock(machine)
    begun = machine.running
    asyncio.run(clock.sleep(0.3))
    assert clock.hear(1_000_100, since=begun) == 3_599_900
    assert clock.now_ms() == 1_000_400


def test_answer_that_took_long_changes_nothing_that_may_be_true() -> None:
    """Kafka stood still for ten seconds between the append and its acknowledgement."""
    machine = Machine()
    clock = BrokerClock(machine)
    begun = machine.running
    asyncio.run(clock.sleep(10.0))
    assert clock.hear(1_000_001, since=begun) == 0
    assert clock.now_ms() == 1_010_000


@given(st.integers(0, 4_102_444_800_000))
def test_times_are_read_as_they_are_written(moment: int) -> None:
    assert milliseconds_of(rfc3339(moment)) == moment


def test_only_times_with_an_offset_are_read() -> None:
    assert milliseconds_of("1970-01-01T01:00:00.5+01:00") == 500
    for text in ("", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "25:00"):
        with pytest.raises(ValueError):
            milliseconds_of(text)
