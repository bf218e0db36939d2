"""Acks of one turn go out as few frames, and never say more than was settled."""

import asyncio
from typing import Any

from aiormq import spec
from pamqp import frame

from streamapp.queue.delivery import Settlement


class FakeChannel:
    """Takes frames; rejects are frames of their own."""

    def __init__(self) -> None:
        self.number = 1
        self.is_closed = False
        self.write_queue: asyncio.Queue[Any] = asyncio.Queue()
        self.rejected: list[int] = []

    async def basic_reject(self, tag: int, *, requeue: bool, wait: bool) -> None:
        self.rejected.append(tag)

    def acks(self) -> list[tuple[int, bool]]:
        """What was acked, and whether everything before it was, too."""
        found = []
        while not self.write_queue.empty():
            payload = self.write_queue.get_nowait().payload
            while payload:
                size, _, ack = frame.unmarshal(payload)
                assert isinstance(ack, spec.Basic.Ack)
                found.append((ack.delivery_tag, ack.multiple))
                payload = payload[size:]
        return found


def settlement() -> tuple[FakeChannel, Settlement, list[int]]:
    channel, settled = FakeChannel(), []
    return channel, Settlement(channel, settled.append), settled  # type: ignore[arg-type]


async def acked(of: Settlement, *tags: int) -> list[bool]:
    return list(await asyncio.gather(*(of.ack(tag) for tag in tags)))


async def test_everything_up_to_a_tag_is_one_frame() -> None:
    channel, of, settled = settlement()
    assert await acked(of, 2, 1, 3) == [True] * 3
    assert channel.acks() == [(3, True)]
    assert sorted(settled) == [1, 2, 3]


async def test_what_lies_behind_a_gap_is_named_by_itself() -> None:
    channel, of, _ = settlement()
    await acked(of, 1, 3, 4)
    assert channel.acks() == [(1, True), (3, False), (4, False)]
    await acked(of, 2)
    assert channel.acks() == [(2, True)]
    await acked(of, 5)
    assert channel.acks() == [(5, True)]


async def test_an_ack_for_many_names_a_tag_that_is_not_settled_yet() -> None:
    """Red if it named 3, which RabbitMQ no longer knows: it would take the ack for everything."""
    channel, of, _ = settlement()
    await acked(of, 2, 3)
    assert channel.acks() == [(2, False), (3, False)]
    await acked(of, 1)
    assert channel.acks() == [(1, True)]


async def test_rejected_ones_are_settled_too_and_not_acked() -> None:
    channel, of, settled = settlement()
    assert await of.reject(1, requeue=True)
    await acked(of, 2)
    assert (channel.rejected, channel.acks(), settled) == ([1], [(2, True)], [1, 2])


async def test_unsettled_one_is_never_below_an_ack_for_many() -> None:
    channel, of, _ = settlement()
    await acked(of, *range(2, 50))
    assert {multiple for _, multiple in channel.acks()} == {False}


async def test_closed_channel_takes_nothing() -> None:
    channel, of, settled = settlement()
    channel.is_closed = True
    assert await acked(of, 1) == [False]
    assert (channel.acks(), settled) == ([], [])


async def test_one_who_stops_waiting_does_not_keep_the_others_from_being_told() -> None:
    channel, of, settled = settlement()
    first, second = asyncio.create_task(of.ack(1)), asyncio.create_task(of.ack(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert channel.acks() == [(2, True)]
    assert settled == [1, 2]
