"""The benchmark's peers on real brokers: they do all that they are given, tell figures, and leave nothing behind.

Long, because each installs itself first. Run with `pytest -m long tests/integration/test_bench_peers.py`.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from redis.asyncio import Redis

from bench.peers import celery_rabbitmq, faststream_batch, kafka_streams, node_pipeline, taskiq_rabbitmq
from bench.peers.environment import ROOT
from bench.peers.peer import HOME, Endpoints, Measured, PeerFailed
from tests.support.brokers import RunningBrokers
from tests.support.kafka import Kafka
from tests.support.reference import fold_topic
from tests.support.traffic import Traffic

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

TASKS = 600
PARTITIONS = 4
PEERS = [celery_rabbitmq, taskiq_rabbitmq, node_pipeline, faststream_batch]
each_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__.rpartition(".")[2])


@dataclass(frozen=True)
class Place:
    """Where a peer runs, and what its run is called."""

    endpoints: Endpoints
    run: str

    async def left(self) -> list[str]:
        """What there still is of the run in the brokers."""
        kafka = Kafka(self.endpoints.kafka)
        found = await kafka.topics(self.run)
        async with Redis.from_url(self.endpoints.redis_url) as redis:
            found += [key.decode() for key in await redis.keys(f"{self.run}*")]
        async with await aio_pika.connect(self.endpoints.rabbitmq_url) as connection:
            for name in (self.run, f"{self.run}.dead"):
                for kind in ("queue", "exchange"):
                    channel = await connection.channel()
                    try:
                        await (channel.get_queue(name) if kind == "queue" else channel.get_exchange(name))
                        found.append(f"{kind} {name}")
                    except ChannelNotFoundEntity:
                        continue
        return found


def folder(peer: ModuleType) -> Path:
    """Where the benchmark has the peer, too: installed once for both."""
    return ROOT / HOME / peer.__name__.rpartition(".")[2]


@pytest.fixture
def place(brokers_stack: RunningBrokers, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = brokers_stack.endpoints
    name = uuid.uuid4().hex
    monkeypatch.setattr("secrets.token_hex", lambda *_: name)
    return Place(Endpoints(found.kafka, found.rabbitmq_url, found.redis_url), f"bench-{name}")


@pytest.fixture
async def topic(place: Place) -> AsyncIterator[str]:
    """A topic of odd lives."""
    kafka, name = Kafka(place.endpoints.kafka), f"facts-{uuid.uuid4().hex}"
    await kafka.start()
    await kafka.create(name, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
    traffic = Traffic(5, "peer")
    await kafka.tell(name, [*traffic.burst(200), *traffic.finished(100)])
    await kafka.append(name, [(b"peer-1", b"no fact"), (b"other", b'{"specversion":"1.0"}')])
    yield name
    await kafka.delete([name])
    await kafka.stop()


@each_peer
@pytest.mark.parametrize("concurrency", [2, 5])
async def test_a_peer_runs_every_task_and_leaves_nothing(peer, concurrency, place):
    await asyncio.to_thread(peer.install, folder(peer))
    measured: Measured = await asyncio.to_thread(peer.end_to_end, folder(peer), place.endpoints, TASKS, concurrency)
    assert measured.details["tasks"] == TASKS
    assert measured.tasks_per_second == pytest.approx(TASKS / measured.details["seconds"])
    assert measured.cpu_seconds_per_1000 > 0.01
    assert measured.peak_rss_mib > 20
    assert await place.left() == []


@each_peer
async def test_a_peer_tells_the_latency_of_every_task(peer, place):
    await asyncio.to_thread(peer.install, folder(peer))
    found = await asyncio.to_thread(peer.latency, folder(peer), place.endpoints, 50, 4)
    assert found["tasks"] == 200
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["p99.9_ms"] <= found["max_ms"]
    assert found["p50_ms"] < 1000
    assert await place.left() == []


@pytest.mark.parametrize("by_window", [True, False])
async def test_the_pipeline_of_the_seed_also_runs_what_was_there_before(by_window, place):
    peer = node_pipeline
    await asyncio.to_thread(peer.install, folder(peer))

    def run() -> Measured:
        return peer.end_to_end(folder(peer), place.endpoints, TASKS, 5, preloaded=True, by_window=by_window)

    measured = await asyncio.to_thread(run)
    assert measured.details["tasks"] == TASKS
    assert await place.left() == []


async def test_a_broker_that_is_not_there_is_an_error_and_no_wait_without_end(place, monkeypatch):
    monkeypatch.setattr("bench.peers.crew.READY_SECONDS", 10.0)
    monkeypatch.setattr("bench.peers.crew.FORGET_SECONDS", 1.0)
    await asyncio.to_thread(taskiq_rabbitmq.install, folder(taskiq_rabbitmq))
    nowhere = Endpoints(place.endpoints.kafka, "amqp://guest:guest@127.0.0.1:1/", place.endpoints.redis_url)
    with pytest.raises(PeerFailed, match="worker"):
        await asyncio.to_thread(taskiq_rabbitmq.end_to_end, folder(taskiq_rabbitmq), nowhere, 10, 5)


async def test_kafka_streams_folds_the_same_table(place, topic, tmp_path):
    records = await Kafka(place.endpoints.kafka).read(topic)
    facts = sum(map(len, records.values()))
    home, table = folder(kafka_streams), tmp_path / "table"
    await asyncio.to_thread(kafka_streams.install, home)
    found = await asyncio.to_thread(
        lambda: kafka_streams.rebuild(home, place.endpoints, topic, facts, table=table),
    )
    assert found["folded"] == facts
    assert found["unreadable"] == 2
    assert found["facts_per_second"] == pytest.approx(facts / found["seconds"])
    assert found["cpu_seconds"] > 0.1
    assert found["peak_rss_mib"] > 50
    assert rows(table) == expected(records)
    assert await place.left() == []


async def test_kafka_streams_restores_the_same_table(place, topic, tmp_path):
    records = await Kafka(place.endpoints.kafka).read(topic)
    facts = sum(map(len, records.values()))
    home, table = folder(kafka_streams), tmp_path / "table"
    await asyncio.to_thread(kafka_streams.install, home)
    rebuilt, restored = await asyncio.to_thread(
        lambda: kafka_streams.rebuild_and_restore(home, place.endpoints, topic, facts, table=table),
    )
    assert rebuilt["folded"] == facts
    assert restored["folded"] == 0
    assert restored["records"] >= len(expected(records))
    assert restored["records_per_second"] == pytest.approx(restored["records"] / restored["seconds"])
    assert rows(table) == expected(records)
    assert await place.left() == []
    assert not list((home / "state").iterdir())


async def test_kafka_streams_refuses_a_topic_with_another_number_of_facts(place, topic):
    await asyncio.to_thread(kafka_streams.install, folder(kafka_streams))
    with pytest.raises(PeerFailed, match="facts instead of 7"):
        await asyncio.to_thread(kafka_streams.rebuild, folder(kafka_streams), place.endpoints, topic, 7)
    assert await place.left() == []


def rows(table: Path) -> dict[str, object]:
    """The dumped table, by task id."""
    found = [json.loads(line) for line in table.read_bytes().splitlines()]
    return {row["task_id"]: row for row in found}


def expected(records) -> dict[str, object]:
    """The table as streamapp folds it, by task id."""
    folded = fold_topic(records).tasks.values()
    return {key.decode(): json.loads(value) for partition in folded for key, value in partition.items()}
