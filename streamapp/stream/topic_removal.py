"""Which topics exist, and deleting some of them: for changelogs that are to be made again."""

import asyncio
from collections.abc import Iterable

from aiokafka.errors import for_code

from streamapp.domain.errors import Unavailable
from streamapp.stream.groups import admin_of

GONE_SECONDS = 60.0
"""How long Kafka may take until a deleted topic is gone."""
PAUSE_SECONDS = 0.1
UNKNOWN_TOPIC = 3


async def existing(bootstrap_servers: str, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that exist.

    Raises:
        Unavailable: Kafka does not answer.
    """
    async with admin_of(bootstrap_servers) as admin:
        return frozenset(names) & frozenset(await admin.list_topics())


async def remove(bootstrap_servers: str, names: Iterable[str]) -> frozenset[str]:
    """Delete topics and wait until they are gone. Returns those that existed.

    Raises:
        Unavailable: Kafka does not answer, refuses (`delete.topic.enable=false`), or takes too long.
    """
    wanted = await existing(bootstrap_servers, names)
    if not wanted:
        return wanted
    async with admin_of(bootstrap_servers) as admin:
        response = await admin.delete_topics(sorted(wanted))
        for name, code, *_ in response.topic_error_codes:
            if code not in (0, UNKNOWN_TOPIC):
                raise for_code(code)(name)
    try:
        async with asyncio.timeout(GONE_SECONDS):
            while await existing(bootstrap_servers, wanted):
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError as error:
        raise Unavailable(f"Kafka has not deleted {', '.join(sorted(wanted))} within {GONE_SECONDS:g} s") from error
    return wanted
