"""The event loop of every role: uvloop's, with one of its habits mended, and one of aiokafka's.

A transport of uvloop's that is closed already answers a write with RuntimeError, where asyncio's would be silent and
let `drain` tell that the connection is lost. The clients of Kafka, RabbitMQ and Redis expect OSError of a connection
that is gone, and nothing else: a RuntimeError ended aiokafka's search for new metadata for good, and the process went
on without ever committing again. So a write to what is closed says ConnectionResetError.

A request of aiokafka's that is not answered in time closes its connection, and stumbles with KeyError if somebody else
has given that one up already. Nobody expects it: it ended the consumer's reading for good, and the process went on
without ever folding again. So it is the timeout that it was.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import RequestTimedOutError

T = TypeVar("T")
D = TypeVar("D")


def install() -> None:
    """From now on every event loop of this process is uvloop's: Faust makes one for itself and one for its consumer."""
    _mend()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of uvloop's."""
    _mend()
    return uvloop.run(main)


def _mend() -> None:
    for name in ("write", "writelines"):
        write = getattr(asyncio.StreamWriter, name)
        if not hasattr(write, "__wrapped__"):
            setattr(asyncio.StreamWriter, name, _or_lost(write))
    if not hasattr(AIOKafkaClient.send, "__wrapped__"):
        AIOKafkaClient.send = _or_timed_out(AIOKafkaClient.send)


def _or_lost(write: Callable[[asyncio.StreamWriter, D], None]) -> Callable[[asyncio.StreamWriter, D], None]:
    @wraps(write)
    def write_or_lost(writer: asyncio.StreamWriter, data: D) -> None:
        try:
            write(writer, data)
        except RuntimeError as error:
            if not writer.is_closing():
                raise
            raise ConnectionResetError("the connection is closed") from error

    return write_or_lost


def _or_timed_out(send: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(send)
    async def send_or_time_out(client: AIOKafkaClient, node_id: int, request: Any, **options: Any) -> Any:
        try:
            return await send(client, node_id, request, **options)
        except KeyError as error:
            raise RequestTimedOutError from error

    return send_or_time_out
