"""Kafka hangs, for longer than any session: what runs goes on afterwards, and what was starting starts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.brokers import RunningBrokers
from tests.support.events import event
from tests.support.lived import Lived, lived
from tests.support.proxy import proxied
from tests.support.stack import installation
from tests.support.traffic import Traffic

OUTAGE_SECONDS = 20.0


@pytest.fixture
async def life(brokers_stack: RunningBrokers, tmp_path: Path) -> AsyncIterator[Lived]:
    async with lived(brokers_stack.endpoints, tmp_path / "busy", DISPATCH__LOST_AFTER_SECONDS="86400") as made:
        yield made


@pytest.mark.long
async def test_kafka_hangs_under_load(life: Lived, brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    assert "kafka" in brokers_stack.stack.services, "Kafka belongs to somebody else, and this test stops it"
    busy = await life.made.started()
    leaving = await life.made.started("ingest")
    with installation(brokers_stack.endpoints, tmp_path / "starting") as other:
        async with life.pouring(Traffic(4, "outage")):
            await life.busy()
            starting = other.start()
            await starting.logged("StreamApp]: Starting")
            # What it has taken in at this moment is not committed yet, and Faust would wait to do so.
            events = [(None, event(f"last-{number}")) for number in range(100)]
            await life.kafka.append(life.made.names.events_topic, events)
            await leaving.logged("✓ Kafka event enqueued")
            brokers_stack.stack.kafka.pause()
            try:
                leaving.process.terminate()
                await asyncio.sleep(OUTAGE_SECONDS)
                statuses = [(await busy.get(path))[0] for path in ("/livez", "/v1/totals", "/readyz")]
                assert statuses == [200, 200, 503]
                assert leaving.ended(1) == 0  # it was asked to end, and did not wait for Kafka
            finally:
                brokers_stack.stack.kafka.resume()
            await life.busy()
        await starting.ready()
    await life.calm()
    await life.applied(busy)
    assert busy.stop() == 0
    assert [process.troubles() for process in (busy, starting, leaving)] == [[], [], []]
    assert await life.odd_rows(life.made.tables("all")) == []


async def test_kafka_goes_away_in_the_middle_of_a_start(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    host, port = brokers_stack.endpoints.kafka.split(":")
    # The first connection to the bootstrap server is for the topics; the clients that follow find nobody.
    async with proxied(host, int(port), refused=range(2, 8)) as kafka:
        with installation(brokers_stack.endpoints, tmp_path / "late") as made:
            starting = made.start("diary", KAFKA__BOOTSTRAP_SERVERS=f"{host}:{kafka.port}")
            await starting.ready()
            assert kafka.taken > 7
            assert starting.stop() == 0
            assert starting.troubles() == []


async def test_a_start_that_waits_for_kafka_can_be_ended(brokers_stack: RunningBrokers, tmp_path: Path) -> None:
    host, port = brokers_stack.endpoints.kafka.split(":")
    async with proxied(host, int(port), refused=range(2, 1_000)) as kafka:
        with installation(brokers_stack.endpoints, tmp_path / "never") as made:
            starting = made.start("diary", KAFKA__BOOTSTRAP_SERVERS=f"{host}:{kafka.port}")
            await starting.logged("Kafka does not answer, asking again", count=3)
            assert starting.stop() == 0
