"""How topics are created: what was acknowledged on a single node is on its disk, whoever was told so."""

import pytest

from streamapp.settings import Settings
from streamapp.settings.groups import BrokerSettings, KafkaSettings
from streamapp.stream import topics


@pytest.mark.parametrize("plan", [topics.lifecycle, topics.events])
def test_single_replica_is_flushed_before_it_is_acknowledged(plan: object) -> None:
    """Red for `consume-event`: a power cut took events whose producers had been told that Kafka has them."""
    assert callable(plan)
    single = Settings(kafka=KafkaSettings(bootstrap_servers="kafka:9092"))
    several = Settings(kafka=KafkaSettings(bootstrap_servers="kafka:9092", replication_factor=3))
    left = Settings(kafka=KafkaSettings(bootstrap_servers="kafka:9092", flush_messages=0))
    thrown_away = Settings(brokers=BrokerSettings(profile="fast"))
    assert plan(single).want["flush.messages"] == "1"
    assert [plan(made).want.get("flush.messages") for made in (several, left, thrown_away)] == [None] * 3
