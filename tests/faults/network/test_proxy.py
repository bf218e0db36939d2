"""The proxy by itself: every way in which its network fails, between a plain client and a server that keeps all."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.network.ends import PATIENCE_SECONDS, Net, carries, network
from tests.support.lanes import BOTH, DOWN, UP, Direction
from tests.support.proxy import STOP_SECONDS, Proxy, Sees
from tests.support.waiting import until

DELAY_SECONDS = 0.2


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    async with network() as made:
        yield made


async def test_everything_passes_and_the_end_too(net: Net) -> None:
    pair = await net.connect()
    await carries(pair)
    pair.server.writer.write(b"last words")
    pair.server.writer.close()
    await pair.client.receives(b"workslast words")
    await pair.client.ends()
    await until(lambda: net.proxy.open == 0, PATIENCE_SECONDS, "the proxy forgets the connection")


@pytest.mark.parametrize("direction", BOTH)
async def test_more_than_fits_into_any_buffer_passes_in_order(net: Net, direction: Direction) -> None:
    pair = await net.connect()
    data = b"".join(number.to_bytes(4, "big") for number in range(2_000_000))
    pair.sender(direction).writer.write(data)
    await pair.receiver(direction).receives(data)


async def test_every_connection_is_cut_and_new_ones_are_taken(net: Net) -> None:
    pairs = [await net.connect() for _ in range(3)]
    assert net.proxy.cut() == 3
    for pair in pairs:
        await pair.client.ends()
        await pair.server.ends()
    assert net.proxy.cut() == 0
    await carries(await net.connect())


@pytest.mark.parametrize("direction", BOTH)
@pytest.mark.parametrize("count", [0, 1, 5, 99_999])
async def test_cut_in_the_middle_after_so_many_bytes(net: Net, direction: Direction, count: int) -> None:
    pair = await net.connect()
    data = bytes(range(256)) * 400
    assert net.proxy.cut_after(count, direction) == 1
    pair.sender(direction).writer.write(data)
    await pair.receiver(direction).ends()
    assert pair.receiver(direction).got == data[:count]
    await pair.sender(direction).ends()
    await carries(await net.connect())


async def test_bytes_of_the_other_direction_do_not_count(net: Net) -> None:
    pair = await net.connect()
    net.proxy.cut_after(5, UP)
    pair.server.writer.write(b"much more than five bytes")
    await pair.client.receives(b"much more than five bytes")
    for data in (b"12", b"34", b"5"):
        pair.client.writer.write(data)
    await pair.server.ends()
    assert pair.server.got == b"12345"


async def test_refuses_as_if_nobody_listened_and_what_is_open_lives_on(net: Net) -> None:
    pair = await net.connect()
    port = net.proxy.port
    net.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await carries(pair)
    await net.proxy.start()
    assert net.proxy.port == port
    await carries(await net.connect())


async def test_server_that_is_away_hangs_up_on_the_client() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1])
    server.close()
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await reader.read() == b""
    writer.close()
    await proxy.stop()


async def test_black_hole_keeps_everything_even_that_somebody_has_hung_up(net: Net) -> None:
    witness = await net.connect()
    gone = await net.connect()
    net.proxy.hold()
    gone.client.writer.write(b"bye")
    gone.client.writer.close()
    for direction in BOTH:
        witness.sender(direction).writer.write(b"held")
    await asyncio.sleep(DELAY_SECONDS)  # there is no event for what does not happen
    assert (witness.client.got, witness.server.got, gone.server.got, gone.server.over) == (b"", b"", b"", False)
    net.proxy.resume()
    await gone.server.receives(b"bye")
    await gone.server.ends()
    await witness.client.receives(b"held")
    await witness.server.receives(b"held")
    await carries(witness)


@pytest.mark.parametrize("direction", BOTH)
async def test_black_hole_in_one_direction(net: Net, direction: Direction) -> None:
    pair = await net.connect()
    net.proxy.hold(direction)
    other: Direction = DOWN if direction == UP else UP
    pair.sender(direction).writer.write(b"held")
    pair.sender(other).writer.write(b"passes")
    await pair.receiver(other).receives(b"passes")
    assert pair.receiver(direction).got == b""
    net.proxy.resume()
    await pair.receiver(direction).receives(b"held")


async def test_what_a_black_hole_holds_is_lost_when_it_ends_with_a_cut(net: Net) -> None:
    pair = await net.connect()
    net.proxy.hold()
    pair.client.writer.write(b"lost")
    await asyncio.sleep(DELAY_SECONDS)
    net.proxy.cut()
    net.proxy.resume()
    await pair.server.ends()
    await pair.client.ends()
    assert pair.server.got == b""
    await carries(await net.connect())


@pytest.mark.parametrize("direction", BOTH)
async def test_delayed_by_so_long_and_not_by_more_for_what_follows(net: Net, direction: Direction) -> None:
    pair = await net.connect()
    net.proxy.delay(DELAY_SECONDS, direction)
    sender, receiver = pair.sender(direction), pair.receiver(direction)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(20):
        sender.writer.write(bytes([number]))
        await asyncio.sleep(0.01)
    last = loop.time()
    await receiver.receives(bytes(range(20)))
    assert loop.time() - begun >= DELAY_SECONDS
    assert loop.time() - last < 10 * DELAY_SECONDS  # they travel together; one after the other takes twice as long
    net.proxy.resume()
    await carries(pair)


async def test_tap_sees_what_was_sent_and_what_arrives_but_not_what_the_network_keeps() -> None:
    seen: dict[int, list[tuple[Direction, bytes]]] = {}

    def tap(number: int) -> Sees:
        seen[number] = []
        return lambda direction, data: seen[number].append((direction, data))

    async with network(tap) as net:
        pair = await net.connect()
        net.proxy.hold()
        pair.server.writer.write(b"kept")
        pair.client.writer.write(b"sent")
        await until(lambda: seen[1] == [(UP, b"sent")], PATIENCE_SECONDS, "the tap sees what was sent")
        net.proxy.resume()
        await until(lambda: seen[1] == [(UP, b"sent"), (DOWN, b"kept")], PATIENCE_SECONDS, "and what arrives")
        await net.connect()
        assert seen.keys() == {1, 2}


async def test_fault_of_a_tap_ends_its_connection_and_is_told_at_the_end() -> None:
    def tap(number: int) -> Sees:
        def sees(direction: Direction, data: bytes) -> None:
            raise ZeroDivisionError("a fault of the tap")

        return sees

    with pytest.raises(ZeroDivisionError, match="a fault of the tap"):  # noqa: PT012 - the end of the block raises
        async with network(tap) as net:
            pair = await net.connect()
            pair.client.writer.write(b"x")
            await pair.client.ends()
            await pair.server.ends()


async def test_stops_whatever_it_holds(net: Net) -> None:
    pair = await net.connect()
    net.proxy.hold()
    pair.client.writer.write(b"held")
    async with asyncio.timeout(STOP_SECONDS / 2):  # at once: what is held has no time to give
        await net.proxy.stop()
    await pair.server.ends()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", net.proxy.port)
