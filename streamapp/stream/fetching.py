"""When aiokafka asks Kafka for records: everything together, and not more often than pays.

In: a fetcher of exactly the pinned aiokafka. Out: the same one, paced. It keeps one fetch under way for each broker,
which asks for the partitions that have no records waiting here, and which the broker holds until there are some. It
would ask again as soon as it is answered, for records that then wait here until somebody is free to take them, while
those that come meanwhile wait for the next fetch. Paced where it asks, a record waits once
(`docs/decisions/0011-short-long-poll.md`).
"""

import time
from typing import Any

from streamapp.pace import Turns

FETCH_WAIT_MS = 100
"""The long poll. A partition that was left out of a fetch waits for its end, at most."""

DRAIN_SECONDS = 0.5
"""For so long nothing else is asked for while records of one partition wait to be taken, so that none is left out."""


def pace_fetches(fetcher: Any, turns: Turns) -> None:
    """Let `fetcher` ask at most once in a turn; after a quiet time it asks at once."""
    choose = fetcher._get_actions_per_node
    asked = 0.0

    def choose_in_turn(assignment: Any) -> Any:
        nonlocal asked
        wait = asked + turns.seconds - time.monotonic()
        if wait > 0:
            return [], {}, wait, False, []
        found = choose(assignment)
        if found[0]:
            asked = time.monotonic()
        return found

    fetcher._get_actions_per_node = choose_in_turn
    fetcher._prefetch_backoff = DRAIN_SECONDS
