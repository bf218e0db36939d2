"""What a replay would do, as a value: whose group, which offsets, which tables, and what will be read because of it.

In: a role, where to start, and whether to wipe; the topics, the group and the files as they are. Out: a plan, in which
nothing has happened yet. The rules that make it say "nothing" are those of decision 0008: where a role reads on comes
from its tables, never from the group.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamapp.domain.errors import ConfigurationError
from streamapp.replay.start import Start, resolve
from streamapp.settings import Role, Settings
from streamapp.stream.groups import Group, committed, describe_group
from streamapp.stream.stored import StoredTables
from streamapp.stream.topic_log import Bounds, TopicLog
from streamapp.stream.topic_removal import existing
from tables import dedup, pending, sources, tasks, totals

TABLES_OF: Mapping[Role, tuple[str, ...]] = {
    "diary": (tasks.NAME, totals.NAME),
    "dispatch": (pending.NAME, dedup.NAME),
    "ingest": (sources.NAME,),
}
PARTS: Mapping[Role, tuple[Role, ...]] = {
    "all": ("diary", "dispatch", "ingest"),
    "diary": ("diary",),
    "dispatch": ("dispatch",),
    "ingest": ("ingest",),
}


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """One partition of a topic.

    Attributes:
        group_at: the group's committed offset; None if it has none. It will be `group_to`.
        tables_at: how far the least of the tables it feeds is folded; None if that is not known on this machine.
        reads_from: where the role will read on; None if that depends on changelogs that were not looked into.
        end: where the partition ends now.
    """

    topic: str
    partition: int
    first: int
    end: int
    group_at: int | None
    group_to: int
    tables_at: int | None
    reads_from: int | None

    @property
    def again(self) -> int | None:
        """How many offsets will be read that were folded before."""
        if self.reads_from is None:
            return None
        folded = self.end if self.tables_at is None else self.tables_at
        return max(folded - self.reads_from, 0)


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table. `changelog_records` is None if it has no changelog; `files` counts partitions with files here."""

    table: str
    changelog: str
    changelog_records: int | None
    files: int
    wipe: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A replay of `role`, whose consumer group is `group`."""

    role: Role
    group: Group
    start: Start
    wipe: bool
    partitions: tuple[PartitionPlan, ...]
    tables: tuple[TablePlan, ...]

    @property
    def wiped(self) -> tuple[TablePlan, ...]:
        """The tables that will be deleted."""
        return tuple(table for table in self.tables if table.wipe)


def app_role(settings: Settings, role: Role) -> Role:
    """Under which role the processes run that hold `role`: its own, or `all` where one process holds all.

    Raises:
        ConfigurationError: the settings are those of another role.
    """
    if settings.role not in ("all", role):
        raise ConfigurationError(
            f"STREAMAPP_ROLE is {settings.role}, whose process holds nothing of {role}: unset it where one process "
            f"runs all roles, or set it to {role} where {role} runs alone"
        )
    return settings.role


def topics_of(settings: Settings, role: Role) -> tuple[str, ...]:
    """The topics that a role reads."""
    names = settings.names
    topics = [names.events_topic if part == "ingest" else names.lifecycle_topic for part in PARTS[role]]
    return tuple(dict.fromkeys(topics))


async def make_plan(settings: Settings, role: Role, start: Start, *, wipe: bool) -> Plan:
    """Look at everything and say what a replay would do.

    Raises:
        ConfigurationError: it would not do what it says; the message names the option.
        Unavailable: Kafka does not answer, or a topic does not exist.
    """
    held_by = app_role(settings, role)
    if wipe and start.kind != "earliest":
        raise ConfigurationError(
            f"--from {start.text} cannot be combined with --wipe: a wiped table is folded from the first record, "
            f"because a view of a part of the log would be wrong. Leave out --from, or --wipe"
        )
    servers, app_id = settings.bootstrap_servers, settings.names.app_id(held_by)
    group = await describe_group(servers, app_id)
    stored = StoredTables(settings.data_directory, app_id)
    tables = await _tables(settings, app_id, held_by, role, stored, wipe)
    if not group.exists and all(table.changelog_records is None for table in tables):
        raise ConfigurationError(
            f"there is neither a consumer group {app_id} nor a changelog of it: nothing of this name has ever run. "
            f"Set STREAMAPP_ROLE to {role} if it runs alone, and STREAMAPP_NAMESPACE if it has one"
        )
    at = await committed(servers, app_id)
    wiped = {table.table for table in tables if table.wipe}
    partitions: list[PartitionPlan] = []
    for topic in topics_of(settings, role):
        fed = [name for part in PARTS[held_by] for name in TABLES_OF[part] if topic in topics_of(settings, part)]
        async with TopicLog(servers, topic) as log:
            bounds = await log.bounds()
            offsets = await resolve(start, log, bounds)
        folded = _folded(stored, fed, bounds)
        for partition, limits in sorted(bounds.items()):
            tables_at = folded[partition]
            reads_from = limits.first if wiped.intersection(fed) else tables_at
            partitions.append(
                PartitionPlan(
                    topic,
                    partition,
                    limits.first,
                    limits.end,
                    at.get((topic, partition)),
                    offsets[partition],
                    tables_at,
                    reads_from,
                )
            )
    return Plan(role, group, start, wipe, tuple(partitions), tuple(tables))


async def _tables(
    settings: Settings, app_id: str, held_by: Role, role: Role, stored: StoredTables, wipe: bool
) -> list[TablePlan]:
    """Every table of the group; those of `role` are the ones to wipe."""
    names = [(part, name) for part in PARTS[held_by] for name in TABLES_OF[part]]
    changelogs = {name: f"{app_id}-{name}-changelog" for _, name in names}
    there = await existing(settings.bootstrap_servers, changelogs.values())
    files = [found.table for found in stored.all()]
    plans = []
    for part, name in names:
        records = await _records(settings, changelogs[name]) if changelogs[name] in there else None
        wiped = wipe and part in PARTS[role]
        plans.append(TablePlan(name, changelogs[name], records, files.count(name), wiped))
    return plans


async def _records(settings: Settings, topic: str) -> int:
    async with TopicLog(settings.bootstrap_servers, topic) as log:
        return sum(limits.end - limits.first for limits in (await log.bounds()).values())


def _folded(stored: StoredTables, tables: Iterable[str], partitions: Mapping[int, Bounds]) -> dict[int, int | None]:
    """How far the least of these tables is folded, by partition; None where one of them has no files here."""
    applied = {(found.table, found.partition): found.applied for found in stored.all()}
    folded: dict[int, int | None] = {}
    for partition in partitions:
        known = [applied.get((table, partition)) for table in tables]
        least = min((offset for offset in known if offset is not None), default=0)
        folded[partition] = None if None in known else least
    return folded
