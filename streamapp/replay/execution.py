"""Carries out a plan: the group's offsets are set, and the tables to wipe are deleted on both sides.

Order: changelogs first, files second. A crash between leaves tables that are ahead of their changelogs, which the next
start notices and clears; the other way round the old changelog would restore the old table without a word.
"""

from dataclasses import dataclass

from streamapp.domain.errors import StreamappError
from streamapp.replay.plan import Plan, app_role
from streamapp.settings import Settings
from streamapp.stream.groups import Group, describe_group, move
from streamapp.stream.stored import InUse, StoredTables
from streamapp.stream.topic_removal import remove


class StillRunning(StreamappError):
    """A process of the role is alive: nothing was done."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done: offsets set, changelog topics deleted, partitions whose files were deleted."""

    offsets: int
    changelogs: tuple[str, ...]
    files: int


def refuse_if_alive(group: Group, stored: StoredTables) -> None:
    """See that nobody works on the tables.

    Raises:
        StillRunning: somebody does; the message says who.
    """
    if group.members:
        who = ", ".join(sorted(f"{member.client_id} on {member.host}" for member in group.members))
        raise StillRunning(
            f"group {group.name} has {len(group.members)} member(s) alive: {who}. Stop them first; one that was killed "
            f"stays a member until its session ends (STREAMAPP_KAFKA__SESSION_TIMEOUT_SECONDS)"
        )
    try:
        stored.refuse_if_open()
    except InUse as error:
        raise StillRunning(str(error)) from error


async def carry_out(settings: Settings, plan: Plan) -> Done:
    """Do what the plan says, if still nobody is in the group.

    Raises:
        StillRunning: a process of the role is alive.
        Unavailable: Kafka does not answer. What was done stays done; the same command does the rest.
    """
    app_id = settings.names.app_id(app_role(settings, plan.role))
    stored = StoredTables(settings.data_directory, app_id)
    refuse_if_alive(await describe_group(settings.bootstrap_servers, app_id), stored)
    offsets = {(item.topic, item.partition): item.group_to for item in plan.partitions}
    await move(settings.bootstrap_servers, app_id, offsets)
    changelogs = await remove(settings.bootstrap_servers, [table.changelog for table in plan.wiped])
    files = stored.remove(frozenset(table.table for table in plan.wiped))
    return Done(len(offsets), tuple(sorted(changelogs)), files)
