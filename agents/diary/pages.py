"""One page over several partitions or processes, from what each of them has for it.

In: the entries of each behind the same place, as far as each was walked. Out: the first of them all, up to where every
one was walked, and the place behind which the next page begins. Nothing is left out in between, and nothing comes
twice, even if two processes tell of the same partition while it moves.
"""

from collections.abc import Collection

from agents.diary.selection import Listed


def merged(parts: Collection[Listed], limit: int, *, newest_first: bool) -> Listed:
    """The page; its `reached` is where the next one begins, None after the last one.

    Args:
        parts: one for each partition, or one for each process.
        limit: entries of a page.
        newest_first: whether places fall along the list; else they rise.
    """
    reached = [part.reached for part in parts if part.reached is not None]
    bound = None if not reached else max(reached) if newest_first else min(reached)
    unique = {place: (place, entry) for part in parts for place, entry in part.entries}
    entries = [unique[place] for place in sorted(unique, reverse=newest_first)]
    if bound is not None:
        entries = [entry for entry in entries if (entry[0] >= bound if newest_first else entry[0] <= bound)]
    if len(entries) > limit:
        bound = entries[limit - 1][0]
    return Listed(entries[:limit], bound, all(part.complete for part in parts))
