"""The other diary processes: who holds which partition, and what they answer.

In: the assignment of the consumer group. Out: answers of those that hold something, and silence of those that do not
answer, so that whoever asked can name the partitions that are missing.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from agents.diary.problems import Problem
from streamapp.stream.resident import Resident
from streamapp.telemetry import describe, get_log
from tables import totals

FORWARDED = "X-Streamapp-Forwarded"

T = TypeVar("T")

log = get_log(__name__)


class Owners(Resident):
    """Asks the other processes. `own` is the URL under which they reach this one."""

    def __init__(self, app: Any, *, own: str, timeout_seconds: float) -> None:
        self._app = app
        self._own = own
        self._timeout = timeout_seconds
        self._session: ClientSession | None = None

    def of(self, partition: int) -> str | None:
        """URL of the process that holds a partition; None if nobody else does."""
        owner = self._assigned().get(partition)
        return None if owner == self._own else owner

    def others(self) -> list[str]:
        """URLs of the other processes that hold partitions."""
        return [url for url in dict.fromkeys(self._assigned().values()) if url != self._own]

    @property
    def session(self) -> ClientSession:
        """The client that all questions go through."""
        if self._session is None:
            self._session = ClientSession()
        return self._session

    async def ask(self, path: str, decode: Callable[[bytes], T], *, seconds: float | None = None) -> list[T]:
        """What the others answer to a path with its query, those that answer in time and can be understood."""
        timeout = ClientTimeout(total=seconds or self._timeout)
        answers = await asyncio.gather(*(self._ask(f"{url}{path}", decode, timeout) for url in self.others()))
        return [answer for answer in answers if answer is not None]

    async def _ask(self, url: str, decode: Callable[[bytes], T], timeout: ClientTimeout) -> T | None:
        try:
            async with self.session.get(url, timeout=timeout) as response:
                response.raise_for_status()
                return decode(await response.read())
        except (ClientError, TimeoutError, msgspec.MsgspecError) as error:  # it may be of another version
            log.warning("another diary process did not answer", url=url, error=describe(error))
            return None

    async def forward(
        self, request: web.Request, partition: int, path: str, *, more_seconds: float = 0.0
    ) -> web.Response:
        """Hand a question about a task on to the process that holds its partition.

        Raises:
            Problem: 503, nobody holds it now, or it does not answer.
        """
        owner = self.of(partition)
        if owner is None or request.headers.get(FORWARDED):
            detail = f"partition {partition} is being taken over; try again"
            raise Problem("partition-recovering", detail, retry_after=1)
        timeout = ClientTimeout(total=self._timeout + more_seconds)
        try:
            async with self.session.get(f"{owner}{path}", headers={FORWARDED: "1"}, timeout=timeout) as response:
                body = await response.read()
                again = response.headers.get("Retry-After")
                headers = {} if again is None else {"Retry-After": again}
                return web.Response(
                    status=response.status, body=body, content_type=response.content_type, headers=headers
                )
        except (ClientError, TimeoutError) as error:
            log.warning("the owner of a partition did not answer", url=owner, partition=partition, error=str(error))
            detail = f"the process that holds partition {partition} did not answer; try again"
            raise Problem("owner-unreachable", detail, retry_after=1) from error

    async def stop(self) -> None:
        """Ask nobody any more."""
        if self._session is not None:
            await self._session.close()

    def _assigned(self) -> dict[int, str]:
        """Partition → base URL of the process that holds it, as the consumer group assigned them."""
        metadata = self._app.router.table_metadata(totals.NAME)
        return {
            partition: str(url).rstrip("/")
            for url, topics in metadata.items()
            for partitions in topics.values()
            for partition in partitions
        }
