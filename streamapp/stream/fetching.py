"""When aiokafka asks Kafka for records: everything together, and not more often than pays.

In: a fetcher of exactly the pinned aiokafka. Out: the same one, paced. It keeps one fetch under way for each broker,
which asks for the partitions that have no records waiting here, and which the broker holds until there are some. It
would ask again as soon as it is answered, for records that then wait here until somebody is free to take them, while
those that come meanwhile wait for the next fetch. Paced where it asks, a record waits once
(`docs/decisions/0011-short-long-poll.md`).
"""

import time
from collections.abc import Callable
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


def make_records(fetcher: Any, make: Callable[[Any, Any], Any], of: Callable[[str], bool] = lambda _: True) -> None:
    """Let `fetcher` hand out what `make` makes of a topic partition and a record as it was unpacked.

    It makes an object of eleven fields of each record, of which four are looked at here. `of` says for which topics.
    """
    fetch = fetcher._proc_fetch_request

    async def fetch_and_prepare(*asked: Any) -> Any:
        needed = await fetch(*asked)
        for tp, fetched in fetcher._records.items():
            records = getattr(fetched, "_partition_records", None)  # none in an error, or where all were handed out
            if records is not None and of(tp.topic):
                records._consumer_record = make
        return needed

    fetcher._proc_fetch_request = fetch_and_prepare
