"""Ten thousand malformed events beside good ones: each is refused, and recorded where its id is legible."""

import asyncio
import time
from random import Random

import pytest

from tests.faults.arena import Arena
from tests.faults.judge import judge
from tests.faults.poison.broken_json import CANARY
from tests.faults.poison.events import KEYS, Event, good_event, malformed_events
from tests.faults.poison.promises import acknowledged_by_kafka
from tests.faults.poison.refusals import counted, tally_of, wrongly_refused
from tests.faults.poison.reporting import count_families, measured
from tests.faults.poison.strangers import CODECS, Place, Stranger
from tests.support.reference import facts_of
from tests.support.stack import PARTITIONS
from tests.support.waiting import until

SEED = 20_261_124
COUNT, HEAVY = 10_000, 8
AT_ONCE = 100
FAULT = "10,000 malformed events"
WITHIN_SECONDS = 60.0
"""From the first of them until ingest has refused the last one."""


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_ten_thousand_malformed_events(ring: Arena) -> None:
    (ingest,) = ring.members.of("ingest")
    events, chance = malformed_events(Random(SEED), "wrong", COUNT, HEAVY), Random(SEED)
    strangers = [Stranger(ring.kafka.servers, codec) for codec in CODECS]
    places: list[Place] = []
    begun = time.monotonic()
    async with ring.fault(FAULT, "poison") as incident:
        for number, some in enumerate(_parts(events)):
            stranger = strangers[number % len(strangers)]
            places += await asyncio.to_thread(_append, ring, stranger, f"among-{number}", some, chance)
        incident.injected = len(places)
        refused = "✗ Kafka event invalid, not enqueued"
        await until(lambda: len(ingest.process.lines(refused)) >= COUNT, WITHIN_SECONDS, "all are refused", every=1.0)
    seconds = time.monotonic() - begun
    for stranger in strangers:
        await asyncio.to_thread(stranger.close)
    count_families(ring, FAULT, (event.family for event in events))
    verdict = await judge(ring)
    measured(FAULT, {"seconds until the last was refused": round(seconds)})
    assert verdict.findings == []
    told = [item.fact for _, item in facts_of(await ring.kafka.read(ring.topic))]
    assert "\n".join(wrongly_refused(events, places, told)[:20]) == ""
    tally = counted(ring.made.tables("ingest", "ingest"), range(PARTITIONS))
    assert tally == tally_of(events, len(ring.clients.events))
    assert seconds < WITHIN_SECONDS
    assert ring.members.deaths.total() == 0
    assert ingest.process.troubles() == []
    assert CANARY not in ingest.process.text()


def _parts(events: list[Event]) -> list[list[Event]]:
    return [events[start : start + AT_ONCE] for start in range(0, len(events), AT_ONCE)]


def _append(ring: Arena, stranger: Stranger, good: str, events: list[Event], chance: Random) -> list[Place]:
    """Malformed events in a batch for each partition, and a good one among them under a key that means nothing."""
    records = [(event.key, event.value) for event in events]
    middle = len(records) // 2
    records.insert(middle, (chance.choice(KEYS), good_event(good)))
    places = stranger.append(ring.made.names.events_topic, records)
    acknowledged_by_kafka(ring, [good])
    del places[middle]
    return places
