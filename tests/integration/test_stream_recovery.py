"""Recovery while Kafka is slow or away: it waits, and neither ends the process nor falls silent."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from streamapp.settings import Settings
from streamapp.stream import reading
from streamapp.stream.creating import create_app
from streamapp.stream.engine import StreamApp
from tests.support.brokers import RunningBrokers
from tests.support.kafka import Kafka


def _app(folder: Path) -> StreamApp:
    settings = Settings(data_directory=folder, namespace="recovery")
    return create_app(settings, web_host="127.0.0.1", web_port=6066, logging_config={"version": 1})


async def test_an_answer_that_takes_longer_than_a_request_may_is_waited_for(tmp_path: Path) -> None:
    answered = asyncio.Event()

    async def answer() -> None:
        await asyncio.sleep(0.2)
        answered.set()

    await _app(tmp_path).tables.recovery._wait(answer(), timeout=0.01)
    assert answered.is_set()


async def test_kafka_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    class Consumer:
        asked = 0

        async def highwaters(self, *tps: TP) -> dict[TP, int]:
            self.asked += 1
            if self.asked == 1:
                raise KafkaTimeoutError("no answer")
            return dict.fromkeys(tps, 7)

    found: Counter[TP] = Counter()
    tp = TP("changelog", 0)
    await _app(tmp_path).tables.recovery._build_highwaters(Consumer(), {tp}, found, "active")
    assert found == {tp: 6}


async def test_a_restoration_that_ends_after_its_partitions_were_taken_away_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust goes on restoring through a revocation, and says that it is done, though others hold the partitions now."""
    app, taken = _app(tmp_path), []

    async def take_over() -> None:
        taken.append(True)

    monkeypatch.setattr(app, "_take_over", take_over)
    await app.on_partitions_revoked.send(set())
    await app.on_rebalance_complete.send()
    assert not taken
    await app.on_partitions_assigned.send(set())
    await app.on_rebalance_complete.send()
    assert taken


async def test_a_changelog_that_has_become_shorter_is_read_to_where_it_ends(
    brokers_stack: RunningBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka may lose its tail by a power cut between the question for the end and the reading."""
    monkeypatch.setattr(reading, "SILENCE_SECONDS", 1.0)
    kafka, name = Kafka(brokers_stack.endpoints.kafka), "shortened-changelog"
    await kafka.create(name, 1, {})
    await kafka.start()
    try:
        await kafka.append(name, [(b"k%d" % number, b"v") for number in range(3)])
    finally:
        await kafka.stop()
    got: list[int] = []
    wanted = {TopicPartition(name, 0): (1, 10)}
    async with asyncio.timeout(30):
        await reading.read(
            brokers_stack.endpoints.kafka, wanted, lambda _, records: got.extend(record.offset for record in records)
        )
    assert got == [1, 2]
