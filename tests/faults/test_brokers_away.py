"""Brokers stop, hang and come back under load: everything waits, nothing is lost, and the throughput returns."""

import asyncio

import pytest

from brokers.broker import Broker
from tests.faults.arena import GONE_IS_GONE, Arena
from tests.faults.judge import judge

SHORT, LONG = 5.0, 60.0
BACKLOG_SECONDS = 300.0
"""Six minutes of load wait at the end of the minutes without a broker; slow handlers are what takes so long."""
RESTARTS = 20
STUMBLED = "a fault of streamapp: the job is handed back"


async def stopped(ring: Arena, broker: Broker, seconds: float) -> None:
    async with ring.fault(f"{broker.name} stopped for {seconds:g} s", broker.name):
        await asyncio.to_thread(broker.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(broker.start)


async def hangs(ring: Arena, broker: Broker, seconds: float) -> None:
    async with ring.fault(f"{broker.name} hangs for {seconds:g} s", broker.name):
        broker.pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            broker.resume()


async def killed(ring: Arena, broker: Broker) -> None:
    async with ring.fault(f"{broker.name} killed", broker.name):
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)


def every(ring: Arena) -> tuple[Broker, ...]:
    brokers = ring.brokers.stack.brokers
    assert len(brokers) == 3, "a broker belongs to somebody else, and this test kills it"
    return brokers


async def judged(ring: Arena, seconds: float = 90.0) -> None:
    """Nothing is found, and nobody had to end or to begin again for it: an outage is waited for in place."""
    assert (await judge(ring, seconds=seconds)).findings == []
    assert not ring.members.deaths
    stumbled = [name for name, member in ring.members.by_name.items() if member.process.lines(STUMBLED)]
    assert stumbled == []


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_each_broker_stops_hangs_and_is_killed(ring: Arena) -> None:
    for broker in every(ring):
        await stopped(ring, broker, SHORT)
        await hangs(ring, broker, SHORT)
        await killed(ring, broker)
    await judged(ring)


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_each_broker_is_away_for_a_minute(ring: Arena) -> None:
    for broker in every(ring):
        await stopped(ring, broker, LONG)
        await hangs(ring, broker, LONG)
    await judged(ring, seconds=BACKLOG_SECONDS)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("ring", "number"),
    [(GONE_IS_GONE, number) for number in range(3)],
    indirect=["ring"],
    ids=["rabbitmq", "kafka", "redis"],
)
async def test_a_broker_is_killed_twenty_times(ring: Arena, number: int) -> None:
    for _ in range(RESTARTS):
        await killed(ring, every(ring)[number])
    await judged(ring)
