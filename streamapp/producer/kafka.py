"""The diary's door to Kafka: appends facts, and says before anything is handed over when that cannot work.

Facts go in, positions come out. While Kafka is known to be down every append is refused with nothing handed over
(`reliability`, decision 9); all of it heals without help (`supervisor`). Never reads the diary.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from streamapp.domain.errors import OutcomeUnknown, Refused, Unavailable
from streamapp.domain.facts import AnyFact
from streamapp.metrics.facts import FactMetrics
from streamapp.producer.log import Position
from streamapp.producer.probe import Probe
from streamapp.producer.records import Record, to_failure, to_position, to_record, to_repeat
from streamapp.producer.session import TURN_SECONDS, Session
from streamapp.producer.supervisor import Supervisor

WINDOW = 500
"""Records that `append_durably` hands over together."""

PROBE_SECONDS = 2.0
"""An idle Kafka that takes longer to answer a question about the topic is taken to be down."""

RETRY_SECONDS = 0.2
"""Pause before `append_durably` hands over again what failed."""


class KafkaFactLog:
    """`FactLog` on one Kafka topic, keyed by task id and placed by murmur2, as Kafka's own clients place keys.

    `request_timeout_seconds` bounds one request to a broker, `max_record_bytes` a record with its envelope; under load
    requests are up to `longest_turn_seconds` apart. The topic must stamp records itself
    (message.timestamp.type=LogAppendTime): `Position.at` is the broker's time.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        client_id: str,
        request_timeout_seconds: float,
        max_record_bytes: int,
        longest_turn_seconds: float = TURN_SECONDS,
        metrics: FactMetrics | None = None,
    ) -> None:
        self._servers = bootstrap_servers
        self._topic = topic
        self._client_id = client_id
        self._timeout = request_timeout_seconds
        self._max_bytes = max_record_bytes
        self._longest_turn = longest_turn_seconds
        self._metrics = metrics or FactMetrics()
        self._supervisor: Supervisor | None = None

    async def start(self) -> None:
        """Look for Kafka once, and go on looking in the background. Does not raise if there is none."""
        self._supervisor = Supervisor(self._topic, self._make_probe, self._open_session, self._timeout)
        await self._supervisor.start()

    async def stop(self) -> None:
        """Let what is on its way settle, within the request timeout and only while Kafka answers; then end."""
        if self._supervisor is not None:
            await self._supervisor.stop()
            self._supervisor = None

    async def __aenter__(self) -> "KafkaFactLog":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def available(self) -> bool:
        """False until Kafka has answered, and once it is known to be down."""
        return self.trouble is None

    @property
    def trouble(self) -> str | None:
        """Why appends are refused, in words for an operator; None while available."""
        return self._supervisor.trouble if self._supervisor else "not started"

    async def append(self, facts: Sequence[AnyFact], *, timeout_seconds: float) -> list[Position | Exception]:
        """See `FactLog.append`. What could not even be handed over within the time is Refused, too."""
        begun = self._metrics.now()
        results = await self._append(facts, timeout_seconds)
        self._metrics.window(facts, results, self._metrics.now() - begun)
        return results

    async def _append(self, facts: Sequence[AnyFact], timeout_seconds: float) -> list[Position | Exception]:
        supervisor = self._supervisor
        session = supervisor.session if supervisor else None
        if supervisor is None or session is None:
            return [Refused(f"nothing was handed over: {self.trouble}") for _ in facts]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        results: list[Position | Exception] = [Refused("nothing was handed over: Kafka is slow") for _ in facts]
        handed: list[asyncio.Future[Any]] = []
        records = self._records(facts, results)
        indexes = list(records)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                refusal = await _hand_over(session, records.values(), handed)
                if refusal is not None:
                    results[indexes[len(handed)]] = refusal
        if handed:
            await asyncio.wait(handed, timeout=max(0.0, deadline - loop.time()))
        if _collect(session, zip(indexes, handed, strict=False), results):
            supervisor.doubt()
        return results

    async def append_durably(self, facts: Sequence[AnyFact]) -> list[Position]:
        """See `FactLog.append_durably`. Logs nothing by itself: the supervisor says once that Kafka is down.

        Raises:
            Refused: a record is larger than Kafka takes, so that no waiting helps; nothing was handed over.
        """
        begun = self._metrics.now()
        records = [to_record(fact, self._max_bytes) for fact in facts]
        positions: dict[int, Position] = {}
        waiting = list(range(len(records)))
        while waiting:
            window, rest = waiting[:WINDOW], waiting[WINDOW:]
            chosen = [records[index] for index in window]
            results = await self._attempt(chosen)
            for index, result in zip(window, results, strict=True):
                if isinstance(result, Position):
                    positions[index] = result
            again = [window[place] for place in to_repeat(chosen, results)]
            waiting = again + rest
            if again:
                await asyncio.sleep(RETRY_SECONDS)
        self._metrics.durable(facts, self._metrics.now() - begun)
        return [positions[index] for index in range(len(records))]

    async def _attempt(self, records: Sequence[Record]) -> list[Position | Exception]:
        """Hand over once and wait for every answer: a session answers for all it took, at the latest when it ends."""
        if self._supervisor is None:
            raise Unavailable("the fact log was stopped")
        session = await self._supervisor.opened()
        handed: list[asyncio.Future[Any]] = []
        results: list[Position | Exception] = []
        refusal = await _hand_over(session, records, handed)
        for future in handed:
            try:
                results.append(to_position(await future))
            except Exception as error:
                results.append(to_failure(error))
        if refusal is not None:
            results += [refusal] * (len(records) - len(handed))
        return results

    def _records(self, facts: Sequence[AnyFact], results: list[Position | Exception]) -> dict[int, Record]:
        """The records by index; where there is none, the refusal is put into `results`."""
        records: dict[int, Record] = {}
        for index, fact in enumerate(facts):
            try:
                records[index] = to_record(fact, self._max_bytes)
            except Refused as refusal:
                results[index] = refusal
        return records

    def _make_probe(self, on_lost: Callable[[], None]) -> Probe:
        return Probe(
            self._servers,
            self._topic,
            client_id=f"{self._client_id}-probe",
            timeout_seconds=min(PROBE_SECONDS, self._timeout),
            on_lost=on_lost,
        )

    async def _open_session(self, on_change: Callable[[], None]) -> Session:
        return await Session.open(
            self._servers,
            self._topic,
            client_id=self._client_id,
            request_timeout_seconds=self._timeout,
            max_record_bytes=self._max_bytes,
            longest_turn_seconds=self._longest_turn,
            on_change=on_change,
        )


async def _hand_over(session: Session, records: Iterable[Record], handed: list[asyncio.Future[Any]]) -> Refused | None:
    """Send in order into `handed`; stop at the first refusal and return it: nothing overtakes what was refused."""
    try:
        for record in records:
            handed.append(await session.send(record))
    except Refused as refusal:
        return refusal
    return None


def _collect(
    session: Session, handed: Iterable[tuple[int, asyncio.Future[Any]]], results: list[Position | Exception]
) -> bool:
    """Put what became of each record into `results`, by its index; whether some are overdue."""
    for index, future in handed:
        if not future.done():
            session.overdue.add(future)
            results[index] = OutcomeUnknown("Kafka has not acknowledged it in time")
        elif future.cancelled():
            results[index] = OutcomeUnknown("the producer was replaced before Kafka acknowledged it")
        elif (error := future.exception()) is not None:
            results[index] = to_failure(error)
        else:
            results[index] = to_position(future.result())
    return bool(session.overdue)
