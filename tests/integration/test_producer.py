"""The door to Kafka, on a real one that is paused, killed and started again while facts are appended."""

import asyncio
import logging
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Producer

from brokers.kafka.broker import KafkaBroker
from streamapp.domain.errors import OutcomeUnknown, Refused
from streamapp.producer import Position
from streamapp.producer.kafka import KafkaFactLog
from streamapp.wire import facts as wire
from tests.support.brokers import RunningBrokers
from tests.support.fact_log import (
    accepted,
    create_topic,
    eventually,
    fresh_namespace,
    killed,
    make_log,
    paused,
    read_all,
)


@dataclass
class Place:
    """A topic of the test's own, a log that appends to it, and the Kafka beneath."""

    servers: str
    topic: str
    log: KafkaFactLog
    kafka: KafkaBroker

    async def ids(self) -> list[str]:
        return [stored.fact.task_id for stored in await read_all(self.servers, self.topic)]


@pytest.fixture
async def place(brokers_stack: RunningBrokers) -> AsyncIterator[Place]:
    servers, topic = brokers_stack.endpoints.kafka, fresh_namespace()
    await create_topic(servers, topic)
    async with make_log(servers, topic) as log:
        await eventually(lambda: log.available)
        yield Place(servers, topic, log, brokers_stack.stack.kafka)


async def test_a_position_is_where_the_fact_lies_with_the_brokers_time(place: Place) -> None:
    facts = [accepted(f"täsk-{number}", number) for number in range(50)]
    positions = await place.log.append(facts, timeout_seconds=10)
    stored = {each.fact.id: each for each in await read_all(place.servers, place.topic)}
    assert len(stored) == 50
    for fact, position in zip(facts, positions, strict=True):
        found = stored[fact.id]
        assert found.fact == fact
        assert position == Position(place.topic, found.partition, found.offset, found.at)


async def test_facts_of_one_task_keep_their_order(place: Place) -> None:
    facts = [accepted("one", number) for number in range(300)]
    once = await place.log.append(facts[:200], timeout_seconds=10)
    durable = await place.log.append_durably(facts[200:])
    offsets = [position.offset for position in [*once, *durable] if isinstance(position, Position)]
    assert offsets == list(range(300))


async def test_a_record_that_is_too_large_is_refused_and_the_others_are_recorded(place: Place) -> None:
    facts = [accepted("small"), accepted("large", size=1_000_000), accepted("other")]
    results = await place.log.append(facts, timeout_seconds=10)
    assert [type(result) for result in results] == [Position, Refused, Position]
    assert "kafka.max_record_bytes allows 1000000" in str(results[1])
    with pytest.raises(Refused, match="max_record_bytes"):
        await place.log.append_durably(facts)
    assert sorted(await place.ids()) == ["other", "small"]


async def test_an_unknown_topic_is_refused_at_once_and_used_once_it_exists(brokers_stack: RunningBrokers) -> None:
    servers, topic = brokers_stack.endpoints.kafka, fresh_namespace()
    async with make_log(servers, topic) as log:
        assert not log.available
        results = await log.append([accepted("early")], timeout_seconds=10)
        assert isinstance(results[0], Refused)
        assert f"topic {topic} does not exist; run `streamapp setup`" in str(results[0])
        await create_topic(servers, topic)
        await eventually(lambda: log.available)
        assert isinstance((await log.append([accepted("late")], timeout_seconds=10))[0], Position)


async def test_kafka_paused_unknown_first_then_refused_and_all_well_after_resume(place: Place) -> None:
    assert isinstance((await place.log.append([accepted("before")], timeout_seconds=5))[0], Position)
    with paused(place.kafka):
        unknown = await place.log.append([accepted("unknown"), accepted("unknown-2")], timeout_seconds=0.5)
        assert [type(result) for result in unknown] == [OutcomeUnknown, OutcomeUnknown]
        assert not place.log.available
        refused = await place.log.append([accepted("refused")], timeout_seconds=10)
        assert isinstance(refused[0], Refused)
    await eventually(lambda: place.log.available)
    assert isinstance((await place.log.append([accepted("after")], timeout_seconds=5))[0], Position)
    assert sorted(await place.ids()) == ["after", "before", "unknown", "unknown-2"]


async def test_an_idle_log_notices_that_kafka_hangs_and_that_it_goes_on(place: Place) -> None:
    with paused(place.kafka):
        await eventually(lambda: not place.log.available)
        assert "no answer within" in (place.log.trouble or "")
    await eventually(lambda: place.log.available)


async def test_an_idle_log_notices_that_kafka_was_killed_and_that_it_is_back(place: Place) -> None:
    async with killed(place.kafka):
        await eventually(lambda: not place.log.available)
        assert "cannot be reached" in (place.log.trouble or "")
        assert isinstance((await place.log.append([accepted("down")], timeout_seconds=5))[0], Refused)
    await eventually(lambda: place.log.available)
    assert isinstance((await place.log.append([accepted("up")], timeout_seconds=5))[0], Position)
    assert await place.ids() == ["up"]


async def test_a_log_started_while_kafka_is_down_connects_by_itself(place: Place) -> None:
    async with killed(place.kafka), asyncio.timeout(30):
        log = make_log(place.servers, place.topic)
        await log.start()
        assert not log.available
        assert isinstance((await log.append([accepted("down")], timeout_seconds=5))[0], Refused)
    try:
        await eventually(lambda: log.available)
        assert isinstance((await log.append([accepted("up")], timeout_seconds=5))[0], Position)
    finally:
        await log.stop()


@pytest.mark.long
async def test_kafka_killed_again_and_again_under_load_loses_nothing_acknowledged(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    acknowledged: dict[str, Position] = {}
    refused: set[str] = set()
    stopping = asyncio.Event()

    async def _append(writer: int) -> None:
        number = 0
        while not stopping.is_set():
            task_id = f"{writer}-{number}"
            (result,) = await place.log.append([accepted(task_id, number)], timeout_seconds=2)
            if isinstance(result, Position):
                acknowledged[task_id] = result
            elif isinstance(result, Refused):
                refused.add(task_id)
                await asyncio.sleep(0.05)
            number += 1

    writers = [asyncio.create_task(_append(writer)) for writer in range(8)]
    for _ in range(2):
        before = len(acknowledged)
        await eventually(lambda count=before: len(acknowledged) > count + 500)
        async with killed(place.kafka):
            await eventually(lambda: not place.log.available)
        during = len(acknowledged)
        await eventually(lambda count=during: len(acknowledged) > count)
    before = len(acknowledged)
    await eventually(lambda: len(acknowledged) > before + 500)
    stopping.set()
    await asyncio.gather(*writers)
    warnings = [record for record in caplog.records if record.message == "facts are refused for now"]
    assert len(warnings) == 2, "one for each outage: it was never taken for over before it was"
    stored = {each.fact.task_id: each for each in await read_all(place.servers, place.topic)}
    assert acknowledged.keys() <= stored.keys()
    assert refused.isdisjoint(stored.keys())
    for task_id, position in acknowledged.items():
        assert (stored[task_id].partition, stored[task_id].offset) == (position.partition, position.offset)


async def test_durable_facts_survive_an_outage_in_order_with_one_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    facts = [accepted(f"task-{number % 7}", number) for number in range(5000)]
    with caplog.at_level(logging.INFO, logger="streamapp.producer"):
        appending = asyncio.create_task(place.log.append_durably(facts))
        async with killed(place.kafka):
            await eventually(lambda: not place.log.available)
            assert not appending.done()
        positions = await asyncio.wait_for(appending, 60)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([record for record in warnings if record.name == "streamapp.producer"]) == 1
    stored = {(each.partition, each.offset): each.fact for each in await read_all(place.servers, place.topic)}
    for fact, position in zip(facts, positions, strict=True):
        assert stored[position.partition, position.offset] == fact
    for task in range(7):
        offsets = [positions[index].offset for index in range(task, 5000, 7)]
        assert offsets == sorted(offsets)


async def test_a_producer_out_of_sequence_is_replaced_and_durable_facts_get_through(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    await place.log.append_durably([accepted(f"warm-{number}") for number in range(40)])
    _lose_count(place.log)
    (result,) = await place.log.append([accepted("victim")], timeout_seconds=5)
    assert isinstance(result, OutcomeUnknown)
    assert "OutOfOrderSequenceNumber" in str(result)
    positions = await asyncio.wait_for(place.log.append_durably([accepted("victim"), accepted("next")]), 30)
    assert len(positions) == 2
    _lose_count(place.log)
    await asyncio.wait_for(place.log.append_durably([accepted("next", 1), accepted("again")]), 30)
    assert sum("replaced" in record.message for record in caplog.records) == 2
    assert {"victim", "next", "again"} <= set(await place.ids())


async def test_a_producer_that_answers_nothing_while_kafka_does_is_replaced(place: Place) -> None:
    async with make_log(place.servers, place.topic, request_timeout_seconds=1) as log:
        await log.append_durably([accepted("warm")])
        _inside(log)._sender.sender_task.cancel()
        (unknown,) = await log.append([accepted("stuck")], timeout_seconds=0.3)
        assert isinstance(unknown, OutcomeUnknown)
        assert not log.available
        await asyncio.wait_for(log.append_durably([accepted("through")]), 30)
        assert log.available
    assert "through" in await place.ids()


async def test_stopping_while_kafka_hangs_does_not_hang(place: Place) -> None:
    log = make_log(place.servers, place.topic)
    await log.start()
    await eventually(lambda: log.available)
    with paused(place.kafka):
        await log.append([accepted("unknown")], timeout_seconds=0.3)
        await asyncio.wait_for(log.stop(), 15)
        assert isinstance((await log.append([accepted("stopped")], timeout_seconds=5))[0], Refused)


async def test_keys_are_placed_as_kcat_and_librdkafka_place_them_with_murmur2(place: Place) -> None:
    keys = [f"task-{number}" for number in range(60)] + ["täsk", "a", "ab", "abc", "x" * 200]
    for key, position in zip(keys, await place.log.append_durably([accepted(key) for key in keys]), strict=True):
        assert isinstance(position, Position), key
    lines = "".join(f"{key}\t{wire.encode(accepted(key, 1))[1].decode()}\n" for key in keys)
    command = ["kcat", "-P", "-b", place.servers, "-t", place.topic, "-K", "\t", "-X", "partitioner=murmur2_random"]
    await asyncio.to_thread(subprocess.run, command, input=lines.encode(), check=True, timeout=30)
    producer = Producer({"bootstrap.servers": place.servers, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(place.topic, key=key, value=wire.encode(accepted(key, 2))[1])
    assert await asyncio.to_thread(producer.flush, 30) == 0
    partitions: dict[bytes, list[int]] = {}
    for each in await read_all(place.servers, place.topic):
        partitions.setdefault(each.key, []).append(each.partition)
    assert {key: len(found) for key, found in partitions.items()} == {key.encode(): 3 for key in keys}
    assert all(len(set(found)) == 1 for found in partitions.values())
    assert len({found[0] for found in partitions.values()}) > 1


def _inside(log: KafkaFactLog) -> Any:
    """aiokafka's producer, which a test breaks as nothing else can."""
    assert log._supervisor is not None
    assert log._supervisor.session is not None
    return log._supervisor.session._producer


def _lose_count(log: KafkaFactLog) -> None:
    """Make the producer skip sequence numbers in every partition, as an expired batch does."""
    numbers = _inside(log)._txn_manager._sequence_numbers
    for place in numbers:
        numbers[place] += 3
