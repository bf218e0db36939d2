"""What the roles' event loop says of a connection that is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError
from aiokafka.protocol.metadata import MetadataRequest

from streamapp import event_loop


@asynccontextmanager
async def connection() -> AsyncIterator[asyncio.StreamWriter]:
    """A connection to somebody who reads and says nothing."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except ConnectionResetError:
            assert reader.at_eof()
        writer.close()
        await writer.wait_closed()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield writer
    writer.transport.abort()
    await done.wait()
    server.close()
    await server.wait_closed()


async def closed(writer: asyncio.StreamWriter) -> asyncio.StreamWriter:
    writer.transport.abort()
    await asyncio.sleep(0.02)  # until uvloop has let the handle go
    return writer


@pytest.mark.parametrize(
    "write",
    [lambda writer: writer.write(b"?"), lambda writer: writer.writelines([b"?"])],
    ids=["write", "writelines"],
)
def test_write_to_a_connection_that_is_gone_is_an_error_of_the_connection(
    write: Callable[[asyncio.StreamWriter], None],
) -> None:
    async def life() -> None:
        async with connection() as writer:
            await closed(writer)
            with pytest.raises(ConnectionResetError):
                write(writer)

    event_loop.run(life())


def test_kafkas_client_is_told_what_it_understands() -> None:
    """Red on uvloop as it is: RuntimeError, which ended the search for metadata, or the process."""

    async def life() -> None:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
        async with connection() as writer:
            client = AIOKafkaConnection("127.0.0.1", 1)
            client._versions = {MetadataRequest.API_KEY: (0, 1)}
            client._writer = await closed(writer)
            with pytest.raises(KafkaConnectionError):
                client.send(MetadataRequest([]))

    event_loop.run(life())


def test_request_whose_connection_is_given_up_while_its_time_runs_out_has_timed_out() -> None:
    """Red on aiokafka as it is: KeyError, which ended the consumer's reading for good."""

    async def life() -> None:
        client = AIOKafkaClient()

        class Connection:
            @staticmethod
            def connected() -> bool:
                return True

            @staticmethod
            async def send(*_: object, **__: object) -> None:
                client._conns.clear()  # somebody else has found it broken, and looks for a new one
                raise TimeoutError

        client._conns[1, ConnectionGroup.DEFAULT] = Connection()
        with pytest.raises(RequestTimedOutError):
            await client.send(1, MetadataRequest([]))

    event_loop.run(life())


def test_what_else_goes_wrong_is_not_hidden() -> None:
    async def life() -> None:
        async with connection() as writer:
            writer.write_eof()
            with pytest.raises(RuntimeError):
                writer.write(b"after the end")

    event_loop.run(life())
