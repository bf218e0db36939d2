"""Topics: created with what they need, and checked, before anything runs on them.

A diary that could forget is refused: retention, compaction, another partition count, or clocks of producers instead of
the broker's each break a rule of the system, and the error names the setting and what to do.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from streamapp.domain.errors import ConfigurationError, Unavailable
from streamapp.settings import Settings
from streamapp.telemetry import describe, get_log

log = get_log(__name__)

CHANGELOG_MAX_BYTES = 8 * 1024 * 1024
"""Largest record of a changelog, above the largest record a table can make (payload, history and anomalies capped)."""

CHANGELOG_PASS_BYTES = 4 * 1024 * 1024
"""Passes up to this size go into a changelog in one record batch, so all of their rows are there or none is.

`totals` needs it: its rows count, and have no offsets of their own but for the first one. What one batch of facts can
change of them is far below, whatever the facts say.
"""

COMPACTION_LAG_MS = 6 * 3_600_000
"""A row of a changelog is not compacted away before."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it must be. `must` is created and checked; `want` is only created."""

    name: str
    partitions: int
    replicas: int
    must: Mapping[str, str] = field(default_factory=dict)
    want: Mapping[str, str] = field(default_factory=dict)


def lifecycle(settings: Settings) -> TopicPlan:
    """The diary (`system.md`, Facts): nothing is ever deleted, and the broker's clock is the one that counts."""
    kafka = settings.kafka
    want = {"max.message.bytes": str(kafka.max_record_bytes + 65_536), **_flushed(settings)}
    must = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
    }
    replicas = kafka.replication_factor
    in_sync = kafka.min_insync_replicas or (2 if replicas >= 3 else 1)
    want["min.insync.replicas"] = str(in_sync)
    want["unclean.leader.election.enable"] = "false"
    return TopicPlan(settings.names.lifecycle_topic, kafka.lifecycle_partitions, replicas, must, want)


def events(settings: Settings) -> TopicPlan:
    """The entrance for events: retention is its producers' affair. What they were told is safe is flushed first."""
    kafka = settings.kafka
    want = {"max.message.bytes": str(kafka.max_record_bytes + 65_536), **_flushed(settings)}
    return TopicPlan(settings.names.events_topic, kafka.event_partitions, kafka.replication_factor, {}, want)


def _flushed(settings: Settings) -> dict[str, str]:
    """On a single replica nothing but its disk survives a power cut; several replicas stand in for each other."""
    kafka = settings.kafka
    throw_away = kafka.bootstrap_servers is None and settings.brokers.profile == "fast"
    durable = int(kafka.replication_factor == 1 and not throw_away)
    flush = durable if kafka.flush_messages is None else kafka.flush_messages
    return {"flush.messages": str(flush)} if flush else {}


def changelog(name: str, partitions: int, replicas: int) -> TopicPlan:
    """A table's changelog: compacted, so that it keeps the last value of every key."""
    want = {
        "max.message.bytes": str(CHANGELOG_MAX_BYTES),
        "min.cleanable.dirty.ratio": "0.3",
        # A stranger's late rows must not win before the owner has written over them (`vouching`).
        "min.compaction.lag.ms": str(COMPACTION_LAG_MS),
    }
    return TopicPlan(name, partitions, replicas, {"cleanup.policy": "compact"}, want)


async def ensure(bootstrap_servers: str, plans: Sequence[TopicPlan], *, timeout_seconds: float = 30.0) -> None:
    """Create what is missing and check what is there.

    Raises:
        ConfigurationError: a topic that breaks a rule; the message says which and what to do.
        Unavailable: Kafka did not answer.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=int(timeout_seconds * 1000))
    try:
        await admin.start()
        await _create(admin, plans)
        await _check(admin, plans)
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {bootstrap_servers}: {describe(error)}") from error
    finally:
        await admin.close()


async def ensure_patiently(bootstrap_servers: str, plans: Sequence[TopicPlan], *, pause_seconds: float = 1.0) -> None:
    """`ensure`, tried again for as long as Kafka cannot be reached. Raises ConfigurationError only."""
    while True:
        try:
            return await ensure(bootstrap_servers, plans)
        except Unavailable as error:
            log.warning("waiting for Kafka", error=str(error))
            await asyncio.sleep(pause_seconds)


async def _create(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> None:
    there = set(await admin.list_topics())
    for plan in plans:
        if plan.name in there:
            continue
        config = {**plan.must, **plan.want}
        topic = NewTopic(plan.name, plan.partitions, plan.replicas, topic_configs=config)
        try:
            response = await admin.create_topics([topic])
        except TopicAlreadyExistsError:
            continue  # another role creates the same topics at the same moment
        for name, code, *reason in response.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise ConfigurationError(f"topic {name} cannot be created: {reason[0] if reason else code}")
        log.info("topic created", topic=plan.name, partitions=plan.partitions)


async def faults(bootstrap_servers: str, plans: Sequence[TopicPlan]) -> dict[str, str | None]:
    """What is wrong with each topic, and what to do; None where nothing is. Creates nothing.

    Raises:
        Unavailable: Kafka did not answer.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        found: dict[str, str | None] = {
            plan.name: None if plan.name in there else f"topic {plan.name} does not exist: run `streamapp setup`"
            for plan in plans
        }
        # Only those that exist are described: asking for metadata of another one could create it.
        if known := [plan for plan in plans if plan.name in there]:
            found |= await _faults(admin, known)
        return found
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {bootstrap_servers}: {describe(error)}") from error
    finally:
        await admin.close()


async def _check(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> None:
    for fault in (await _faults(admin, plans)).values():
        if fault is not None:
            raise ConfigurationError(fault)


async def _faults(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> dict[str, str | None]:
    names = [plan.name for plan in plans]
    described = {topic["topic"]: topic for topic in await _described(admin, names)}
    configs = await _configs(admin, names)
    return {plan.name: fault(plan, len(described[plan.name]["partitions"]), configs[plan.name]) for plan in plans}


def fault(plan: TopicPlan, partitions: int, config: Mapping[str, str]) -> str | None:
    """The first rule of `plan` that a topic with `partitions` and `config` breaks, and what to do; None if none."""
    if partitions != plan.partitions:
        return (
            f"topic {plan.name} has {partitions} partitions, the settings say {plan.partitions}: a task's facts "
            f"would no longer lie in one partition. Set the partition count in the settings back to {partitions}; "
            f"a topic that was enlarged after facts were written has to be rebuilt from a copy"
        )
    for name, wanted in plan.must.items():
        actual = config.get(name)
        if actual != wanted:
            return (
                f"topic {plan.name} has {name}={actual}, it must be {wanted}, or history could be lost or "
                f"misdated: kafka-configs --alter --entity-type topics --entity-name {plan.name} "
                f"--add-config {name}={wanted}"
            )
    return None


async def _described(admin: AIOKafkaAdminClient, names: list[str]) -> list[dict[str, Any]]:
    """Describe topics; one just created may need a moment until every broker knows it."""
    for _ in range(100):
        topics: list[dict[str, Any]] = await admin.describe_topics(names)
        if all(topic["error_code"] == 0 and topic["partitions"] for topic in topics):
            return topics
        await asyncio.sleep(0.1)
    raise Unavailable(f"the topics {', '.join(names)} were created, but Kafka does not describe them")


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
