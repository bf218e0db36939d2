"""Consumer groups, for the operators' commands: who is in one, what it has committed, and moving that.

Nothing in streamapp is decided from a committed offset (`docs/decisions/0008-positions-come-from-tables.md`); moving
one is a report for those who watch the lag, and what Kafka's own `kafka-consumer-groups --reset-offsets` does.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.structs import OffsetAndMetadata

from streamapp.domain.errors import Unavailable
from streamapp.telemetry import describe

DEAD = "Dead"
"""State of a group that Kafka does not know."""

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process in a group, as Kafka names it."""

    client_id: str
    host: str


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group. `exists` is false if Kafka knows neither members nor offsets of it."""

    name: str
    exists: bool
    members: tuple[Member, ...]


@asynccontextmanager
async def admin_of(bootstrap_servers: str) -> AsyncIterator[Any]:
    """An admin client, closed at the end.

    Raises:
        Unavailable: Kafka does not answer, whatever the block asked of it.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {bootstrap_servers}: {describe(error)}") from error
    finally:
        await admin.close()


async def describe_group(bootstrap_servers: str, name: str) -> Group:
    """The group and its members.

    Raises:
        Unavailable: Kafka does not answer.
    """
    (found,) = await describe_groups(bootstrap_servers, [name])
    return found


async def describe_groups(bootstrap_servers: str, names: Sequence[str]) -> list[Group]:
    """The groups and their members, in the order of `names`.

    Raises:
        Unavailable: Kafka does not answer.
    """
    async with admin_of(bootstrap_servers) as admin:
        return [await _describe(admin, name) for name in names]


async def _describe(admin: Any, name: str) -> Group:
    # One at a time: aiokafka 0.14 takes what follows a group's members for the beginning of the next group.
    (response,) = await admin.describe_consumer_groups([name])
    ((code, _, state, _, _, members, *_),) = response.groups
    if code:
        raise for_code(code)(f"group {name}")
    who = tuple(Member(member[1], member[2].lstrip("/")) for member in members)
    return Group(name, state != DEAD, who)


async def committed(bootstrap_servers: str, group: str) -> dict[Place, int]:
    """What the group has committed, by topic and partition; without those it never committed.

    Raises:
        Unavailable: Kafka does not answer.
    """
    async with admin_of(bootstrap_servers) as admin:
        offsets = await admin.list_consumer_group_offsets(group)
        return {(tp.topic, tp.partition): item.offset for tp, item in offsets.items() if item.offset >= 0}


async def move(bootstrap_servers: str, group: str, offsets: Mapping[Place, int]) -> None:
    """Set committed offsets of a group that has no members.

    Raises:
        Unavailable: Kafka does not answer, or refuses because the group has members by now.
    """
    wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
    if not wanted:
        return
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(list(wanted))
        await consumer.commit(wanted)
    except (KafkaError, OSError) as error:
        raise Unavailable(f"the offsets of group {group} cannot be set: {describe(error)}") from error
    finally:
        await consumer.stop()
