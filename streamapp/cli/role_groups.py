"""The consumer groups that play ingest, dispatch and diary: members, and records between commits and the end.

In: the settings. Out: for each role the ways in which it may be played. Committed offsets follow with a delay of some
seconds, and nothing is decided from them: they are for a person's eye.
"""

from streamapp.doctor.roles import Group
from streamapp.settings import Role, Settings
from streamapp.stream import groups
from streamapp.stream.topic_log import Bounds, TopicLog

ROLES: tuple[Role, ...] = ("ingest", "dispatch", "diary")


async def role_groups(settings: Settings) -> dict[Role, list[Group]]:
    """Role → the group of all together and the group of it alone.

    Raises:
        Unavailable: Kafka does not answer, or a topic does not exist.
    """
    servers, names = settings.bootstrap_servers, settings.names
    app_ids = [names.app_id(way) for way in ("all", *ROLES)]
    found = {group.name: group for group in await groups.describe_groups(servers, app_ids)}
    bounds = {topic: await _bounds(servers, topic) for topic in (names.lifecycle_topic, names.events_topic)}
    commits = {name: await groups.committed(servers, name) for name, group in found.items() if group.members}

    def group_of(role: Role, app_id: str) -> Group:
        topic = names.events_topic if role == "ingest" else names.lifecycle_topic
        members = tuple(f"{member.client_id}@{member.host}" for member in found[app_id].members)
        return Group(app_id, members, behind(topic, bounds[topic], commits.get(app_id, {})) if members else 0)

    return {role: [group_of(role, names.app_id("all")), group_of(role, names.app_id(role))] for role in ROLES}


def behind(topic: str, bounds: dict[int, Bounds], commits: dict[groups.Place, int]) -> int:
    """Records of `topic` that lie behind what was committed; where nothing was, all of them."""
    return sum(
        max(limits.end - max(commits.get((topic, partition), 0), limits.first), 0)
        for partition, limits in bounds.items()
    )


async def _bounds(servers: str, topic: str) -> dict[int, Bounds]:
    async with TopicLog(servers, topic) as log:
        return await log.bounds()
