"""Questions that every diary process answers for its own partitions, put together by the one that was asked."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from agents.diary.answers import plain
from agents.diary.owners import Owners
from agents.diary.query import Query

T = TypeVar("T")
Numbers: TypeAlias = Mapping[str, int]
MOST = 10**14


class Part(Generic[T]):
    """One such question.

    Args:
        name: of the route, below `/v1/parts/`.
        kind: what is told of each partition.
        tell: tells it of the partitions held here, given the question's numbers.
        owners: the other processes.
        numbers: names of the numbers that belong to the question.
    """

    def __init__(
        self,
        name: str,
        kind: type[T],
        tell: Callable[[Numbers], dict[int, T]],
        owners: Owners,
        numbers: tuple[str, ...] = (),
    ) -> None:
        self.path = f"/v1/parts/{name}"
        self._decode = msgspec.json.Decoder(dict[int, kind]).decode  # type: ignore[valid-type]
        self._tell = tell
        self._owners = owners
        self._numbers = numbers

    async def handle(self, request: web.Request) -> web.Response:
        """What this process alone has to tell."""
        query = Query(request, self._numbers)
        return plain(self._tell({name: query.whole(name, 0, 0, MOST) for name in self._numbers}))

    async def everywhere(self, **numbers: int) -> dict[int, T]:
        """What all processes tell, in order of partitions; those that nobody told of are missing."""
        told: dict[int, T] = {}
        for answer in await self._owners.ask(f"{self.path}?{urlencode(numbers)}", self._decode):
            told |= answer
        told |= self._tell(numbers)
        return {partition: told[partition] for partition in sorted(told)}
