"""A record of the diary as what it says: a fact at its place, or something that cannot be read, and why."""

from streamapp.domain.facts import Recorded
from streamapp.domain.totals import Unreadable
from streamapp.domain.views import Item
from streamapp.wire import facts


def read(key: bytes | None, value: bytes | None, offset: int, at: int) -> Item:
    """Read one record. `at` is the broker's time in milliseconds."""
    try:
        return Recorded(facts.decode(key, value), offset, at)
    except facts.Undecodable as error:
        return Unreadable(offset, at, str(error))
