"""Answers of the views: JSON that says how fresh it is, and which partitions are missing in it."""

from collections.abc import Collection
from typing import Any

from aiohttp import web

from streamapp.clock import rfc3339
from streamapp.stream.freshness import Freshness
from streamapp.wire import json


class Answers:
    """Makes answers. `partitions` is how many there are."""

    def __init__(self, freshness: Freshness, partitions: int) -> None:
        self.freshness = freshness
        self.partitions = partitions

    def answer(self, view: dict[str, Any]) -> web.Response:
        """A view with `stale`, and `asOf`: when Kafka answered last."""
        as_of = self.freshness.as_of_ms
        view["stale"] = self.freshness.stale
        view["asOf"] = None if as_of is None else rfc3339(as_of)
        return plain(view)

    def over_all(self, view: dict[str, Any], told: Collection[int]) -> web.Response:
        """A view over all partitions, of which somebody has told of those in `told`."""
        view["missingPartitions"] = self.missing(told)
        return self.answer(view)

    def missing(self, told: Collection[int]) -> list[int]:
        """The partitions that nobody has told of."""
        return sorted(set(range(self.partitions)) - set(told))


def plain(value: Any) -> web.Response:
    """A value as JSON, for another process of the diary."""
    return web.Response(body=json.dump(value), content_type="application/json")
