"""Who waits for a record when its producer is replaced is told that the outcome is unknown, and is not cancelled."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.structs import RecordMetadata, TopicPartition

from streamapp.domain.errors import OutcomeUnknown, Refused
from streamapp.pace import Pace, Turns
from streamapp.producer.records import Record
from streamapp.producer.session import Session


class Batch:
    """Takes any number of records."""

    def __init__(self) -> None:
        self.count = 0

    def append(self, **_: Any) -> object:
        self.count += 1
        return object()

    def close(self) -> None:
        """Nothing more is added."""


class Producer:
    """Takes batches, and answers when it is told to."""

    def __init__(self) -> None:
        self._closed = False
        self._sender = SimpleNamespace(sender_task=None)
        self.client = self
        self.sent: list[tuple[Batch, asyncio.Future[Any]]] = []

    async def close(self) -> None:
        """The client's."""

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.sent.append((batch, answer))
        return answer


def opened() -> tuple[Producer, Session]:
    producer = Producer()
    session = Session(producer, "diary", lambda: None, Pace(Turns(0.0)))
    session._open_lanes(1)
    return producer, session


async def sent(session: Session, producer: Producer, *values: bytes) -> list[asyncio.Future[Any]]:
    futures = [await session.send(Record(b"t", value)) for value in values]
    before = len(producer.sent)
    async with asyncio.timeout(5):
        while len(producer.sent) == before:
            await asyncio.sleep(0.001)
    return futures


async def test_records_that_wait_together_have_one_batch_and_positions_of_their_own() -> None:
    producer, session = opened()
    futures = await sent(session, producer, b"1", b"2", b"3")
    ((batch, answer),) = producer.sent
    answer.set_result(RecordMetadata("diary", 0, TopicPartition("diary", 0), 40, 7, 1, 0))
    positions = await asyncio.gather(*futures)
    assert (batch.count, [position.offset for position in positions]) == (3, [40, 41, 42])
    assert not session.outstanding


async def test_end_of_a_session_is_no_cancellation_of_those_who_wait() -> None:
    """Red while `end` cancelled the futures: their waiters took it for a cancellation of their own."""
    producer, session = opened()
    (on_its_way,) = await sent(session, producer, b"1")
    waiting = await session.send(Record(b"t", b"2"))
    told = asyncio.gather(on_its_way, waiting, return_exceptions=True)
    await session.end()
    first, second = await told
    assert isinstance(first, OutcomeUnknown)
    assert isinstance(second, Refused)
    assert not on_its_way.cancelled()
