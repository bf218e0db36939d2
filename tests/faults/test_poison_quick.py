"""A taste of poison at every entrance, without load: some hundred of each kind, in seconds.

`test_poison_api`, `_events`, `_diary` and `_queue` have all of it, under load.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from streamapp.domain.facts import AnyFact, TaskAccepted, TaskRejected
from streamapp.stream.batch import Record
from streamapp.wire import facts, jobs
from streamapp.wire.facts import Undecodable
from tests.faults.arena import SETTINGS
from tests.faults.poison.asking import Answers, ask_all, description_of, say_all
from tests.faults.poison.bad_records import bad_records
from tests.faults.poison.broken_jobs import broken_messages
from tests.faults.poison.broken_json import CANARY
from tests.faults.poison.events import good_event, malformed_events
from tests.faults.poison.raw_requests import RAW
from tests.faults.poison.refusals import counted, tally_of, wrongly_refused
from tests.faults.poison.requests import MAX_BATCH, wrong_requests
from tests.faults.poison.strangers import Stranger
from tests.support.brokers import RunningBrokers
from tests.support.fact_log import create_topic
from tests.support.kafka import Kafka
from tests.support.reference import facts_of, fold_topic
from tests.support.stack import PARTITIONS, PROJECT, Installation, installation

SEED = 20_261_124


@pytest.fixture
async def made(brokers_stack: RunningBrokers, tmp_path: Path) -> AsyncIterator[Installation]:
    settings = {**SETTINGS, "API__MAX_BATCH": str(MAX_BATCH)}
    with installation(brokers_stack.endpoints, tmp_path / "quick", **settings) as found:
        found.surroundings["PYTHONPATH"] = str(PROJECT)
        yield found


@pytest.fixture
async def kafka(brokers_stack: RunningBrokers) -> AsyncIterator[Kafka]:
    client = Kafka(brokers_stack.endpoints.kafka)
    await client.start()
    yield client
    await client.stop()


async def test_malformed_submissions(made: Installation, kafka: Kafka) -> None:
    await create_topic(kafka.servers, made.names.lifecycle_topic, PARTITIONS)
    api = await made.started("api")
    chance, answers = Random(SEED), Answers()
    asked, good = wrong_requests(chance, "quick", 500, 1)
    description = await description_of(api.url)
    await ask_all(api.url, [*asked, *description.wrong_requests(chance, 200)], answers, description)
    await say_all(api.url, [raw(chance, "raw") for raw in RAW for _ in range(10)], answers)
    assert "\n".join(answers.complaints) == ""
    told = [item.fact for _, item in facts_of(await kafka.read(made.names.lifecycle_topic))]
    assert {fact.task_id for fact in told if isinstance(fact, TaskAccepted)} == set(good)
    assert sum(isinstance(fact, TaskRejected) for fact in told) >= sum(item.recorded is not None for item in asked)
    assert CANARY not in api.text()
    assert api.troubles() == []
    assert api.stop() == 0


async def test_malformed_events(made: Installation, kafka: Kafka) -> None:
    ingest = await made.started("ingest")
    events = malformed_events(Random(SEED), "quick", 500, 1)
    topic, stranger = made.names.events_topic, Stranger(kafka.servers, "zstd")
    places = stranger.append(topic, [(event.key, event.value) for event in events])
    stranger.append(topic, [(b"k", good_event("good"))])
    stranger.close()

    async def told() -> list[AnyFact]:
        return [item.fact for _, item in facts_of(await kafka.read(made.names.lifecycle_topic))]

    await ingest.logged("✗ Kafka event invalid, not enqueued", count=len(events))
    await ingest.logged("✓ Kafka event enqueued: good")
    assert [fact.task_id for fact in await told() if isinstance(fact, TaskAccepted)] == ["good"]
    assert "\n".join(wrongly_refused(events, places, await told())) == ""
    assert CANARY not in ingest.text()
    assert ingest.troubles() == []
    assert ingest.stop() == 0
    assert counted(made.tables("ingest", "ingest"), range(PARTITIONS)) == tally_of(events, accepted=1)


def test_bad_records_are_no_facts() -> None:
    """Each is refused with a reason, and a fold goes on over it."""
    made = bad_records(Random(SEED), ["a task", "another"], 50, 1)
    for bad in made:
        with pytest.raises(Undecodable) as refused:
            facts.decode(bad.key, bad.value)
        assert bad.names in str(refused.value)
        assert CANARY not in str(refused.value)
    records = [Record(offset, bad.key, bad.value, 0) for offset, bad in enumerate(made)]
    (totals,) = fold_topic({0: records}).totals[0].values()
    assert json.loads(totals)["unreadable"] == len(made)


def test_broken_messages_are_no_jobs() -> None:
    for message in broken_messages(Random(SEED), "quick", 1_000, 1):
        with pytest.raises(Undecodable) as refused:
            jobs.decode(message.body)
        assert CANARY not in str(refused.value)
