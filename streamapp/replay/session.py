"""One replay from its horizon to its certificate, with the role's process in between.

In: a plan that was carried out, and a way to start and stop the role. Out: the certificate. The role does all
that it always does; what it did because of the replay is told from what it did because there was work.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Protocol

from streamapp.clock import Clock
from streamapp.domain.errors import Unavailable
from streamapp.queue.watch import PublishWatch
from streamapp.replay.certificate import Certificate
from streamapp.replay.effects import effects
from streamapp.replay.following import follow
from streamapp.replay.live import LiveTables, Place
from streamapp.replay.plan import PARTS, TABLES_OF, Plan, topics_of
from streamapp.replay.survey import TopicSurvey, survey
from streamapp.settings import Settings
from streamapp.stream.digest import PartitionDigest
from streamapp.stream.topic_log import TopicLog

PAUSE_SECONDS = 1.0


class RoleInFront(Protocol):
    """The role's process."""

    async def start(self) -> None:
        """Start it."""

    @property
    def running(self) -> bool:
        """Whether it runs."""

    async def stop(self) -> None:
        """Ask it to end, and wait."""


class Progress(Protocol):
    """Somebody who is told how far it is."""

    def say(self, message: str) -> None:
        """What happens now."""

    def surveyed(self, records: int) -> None:
        """So many more records were counted."""

    def targets(self, targets: Mapping[Place, int]) -> None:
        """Where every partition of every table shall get."""

    def folded(self, folded: Mapping[Place, int]) -> None:
        """How far they are."""


async def run_and_certify(
    settings: Settings, plan: Plan, url: str, role: RoleInFront, clock: Clock, progress: Progress
) -> Certificate:
    """Start the role, follow it to the horizon, stop it, and certify what came of it. `url` is its web server.

    Raises:
        Unavailable: a broker does not answer, or the role ended too early.
    """
    servers = settings.bootstrap_servers
    begun = clock.now_ms()
    progress.say("reading where the topics end")
    topics = [await survey(servers, topic, progress.surveyed) for topic in _surveyed(settings, plan)]
    targets = _targets(settings, plan, topics)
    async with AsyncExitStack() as stack:
        watch = await _watch(settings, stack, progress)
        live = await stack.enter_async_context(LiveTables([url]))
        await role.start()
        try:
            progress.say("the role is starting")
            progress.targets(targets)
            await follow(live, targets, lambda: role.running, progress.folded)
            digests = await _digests(live, {table for table, _ in targets}, role)
        finally:
            await role.stop()
        message_ids = await _seen(watch, progress)
    diary = next(topic for topic in topics if topic.topic == settings.names.lifecycle_topic)
    async with TopicLog(servers, diary.topic) as log:
        ends = {partition: limits.end for partition, limits in (await log.bounds()).items()}
    caused = await effects(servers, diary, ends, message_ids)
    wiped = tuple(table.table for table in plan.wiped)
    return Certificate(plan.role, plan.group.name, wiped, begun, clock.now_ms(), tuple(topics), digests, caused)


def _surveyed(settings: Settings, plan: Plan) -> list[str]:
    """The topics to look at: those the role reads, and the diary, where effects are counted."""
    return list(dict.fromkeys([*topics_of(settings, plan.role), settings.names.lifecycle_topic]))


def _targets(settings: Settings, plan: Plan, topics: list[TopicSurvey]) -> dict[Place, int]:
    known = {topic.topic: topic for topic in topics}
    targets = {}
    for part in PARTS[plan.role]:
        (topic,) = topics_of(settings, part)
        for table in TABLES_OF[part]:
            targets.update({(table, item.partition): item.reach for item in known[topic].partitions})
    return targets


async def _digests(live: LiveTables, tables: set[str], role: RoleInFront) -> Mapping[Place, PartitionDigest]:
    """The digests, asked again for as long as the process runs: a rebalance may come between."""
    while True:
        try:
            return await live.digests(tables)
        except Unavailable:
            if not role.running:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


async def _watch(settings: Settings, stack: AsyncExitStack, progress: Progress) -> PublishWatch | None:
    try:
        return await stack.enter_async_context(PublishWatch(settings.rabbitmq_url, settings.names, settings.queues))
    except Unavailable as error:
        progress.say(f"{error}; jobs are counted from the diary alone")
        return None


async def _seen(watch: PublishWatch | None, progress: Progress) -> list[str] | None:
    if watch is None:
        return None
    try:
        await watch.settle()
    except Unavailable as error:
        progress.say(f"{error}; jobs are counted from the diary alone")
        return None
    return watch.message_ids
