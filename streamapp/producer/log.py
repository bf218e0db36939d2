"""What the door promises, whoever stands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streamapp.domain.facts import AnyFact


@dataclass(frozen=True, slots=True)
class Position:
    """Where a fact lies in the diary. `at` is the broker's time in milliseconds."""

    topic: str
    partition: int
    offset: int
    at: int


class FactLog(Protocol):
    """Appends facts to the diary, keyed by task id."""

    @property
    def available(self) -> bool:
        """False once Kafka is known to be down; true again when it has answered."""

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        """Append once and wait for the broker's ack of each fact, at most `timeout_seconds` in all.

        Returns, fact by fact, its position, or Refused (nothing was handed over: Kafka is known to be down, or the
        record is too large), or OutcomeUnknown (handed over, not acknowledged: it may be recorded or not).
        """

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        """Append and try again until every fact is durable, in the order given per task.

        Returns only when all are; ids are deterministic, so a fact that was recorded twice is still one fact. Waits as
        long as Kafka is away. Cancel it to give up.
        """
