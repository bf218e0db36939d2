"""Follows a role that folds: how far each partition of each table is, until all have reached where they shall get."""

import asyncio
from collections.abc import Callable, Mapping

from streamapp.domain.errors import Unavailable
from streamapp.replay.live import LiveTables, Place

POLL_SECONDS = 0.3


async def follow(
    live: LiveTables,
    targets: Mapping[Place, int],
    running: Callable[[], bool],
    notify: Callable[[Mapping[Place, int]], None],
) -> None:
    """Wait until every partition of these tables is folded up to its target.

    Args:
        live: the role's processes. One that does not answer yet is starting, as long as it runs.
        targets: table and partition → offset.
        running: whether the role's process still runs.
        notify: told how far each of them is, whenever that was asked.

    Raises:
        Unavailable: the process has ended.
    """
    while True:
        try:
            holders = await live.holders()
        except Unavailable:
            if not running():
                raise Unavailable("the role has ended before its tables were rebuilt") from None
        else:
            folded = {place: min(holders[place].applied, target) for place, target in targets.items()}
            notify(folded)
            if folded == dict(targets):
                return
        await asyncio.sleep(POLL_SECONDS)
