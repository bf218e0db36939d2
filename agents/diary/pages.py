"""One page over all partitions, from what each of them has for it.

In: the entries of each partition behind the same place, as far as each was walked. Out: the first of them all, up to
where every partition was walked, and the place behind which the next page begins. Nothing is left out in between, and
nothing comes twice.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from agents.diary.place import Place
from agents.diary.selection import Listed


class Page(NamedTuple):
    """Views in order; `behind` is where the next page begins, None after the last one."""

    views: list[dict[str, Any]]
    behind: Place | None
    complete: bool


def merged(parts: Collection[Listed], limit: int, *, newest_first: bool) -> Page:
    """The page.

    Args:
        parts: one for each partition.
        limit: entries of a page.
        newest_first: whether places fall along the list; else they rise.
    """
    reached = [part.reached for part in parts if part.reached is not None]
    bound = None if not reached else max(reached) if newest_first else min(reached)
    entries = sorted(
        (entry for part in parts for entry in part.entries), key=lambda entry: entry[0], reverse=newest_first
    )
    if bound is not None:
        entries = [(place, view) for place, view in entries if (place >= bound if newest_first else place <= bound)]
    behind = bound
    if len(entries) > limit:
        behind = entries[limit - 1][0]
    complete = all(part.complete for part in parts)
    return Page([view for _, view in entries[:limit]], behind, complete)
