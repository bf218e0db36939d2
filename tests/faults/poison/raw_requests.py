"""Bytes on a connection to the api that are no request, or a request that no client library would send.

In: an address. Out: what the server said. Every conversation has a connection of its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from tests.faults.poison.broken_json import text_of
from tests.faults.poison.entrance import SUBMISSIONS

ANSWER_SECONDS = 20
START = b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What is written, and the statuses that are an answer to it."""

    family: str
    pieces: tuple[bytes, ...]
    statuses: tuple[int, ...] = (400,)


def _sized(body: bytes, *lines: bytes) -> bytes:
    return START + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n" % len(body) + body + b"\r\n"


def _good(task_id: str) -> bytes:
    return text_of(SUBMISSIONS.right(task_id))


def line_break_in_a_header(chance: Random, task_id: str) -> Said:
    """Whoever copies such a header into an answer or a log lets the sender write lines of it."""
    middle = chance.choice((b"\r", b"\n", b"\x00", b"\rX-Other: 1", b"\x0b", b"\r\r\n", b"\n\nHTTP/1.1 200 OK"))
    return Said("a line break in a header", (_sized(_good(task_id), b"Idempotency-Key: a" + middle + b"b"),))


def two_keys(_chance: Random, task_id: str) -> Said:
    """Two Idempotency-Keys."""
    return Said("two Idempotency-Keys", (_sized(_good(task_id), b"Idempotency-Key: a", b"Idempotency-Key: b"),))


def two_lengths(chance: Random, task_id: str) -> Said:
    """Where does the body end? Two servers in a row would not agree."""
    body = _good(task_id)
    lines = chance.choice(
        (
            b"Content-Length: 5\r\nContent-Length: %d\r\n\r\n" % len(body),
            b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(body),
            b"Content-Length: -1\r\n\r\n",
            b"Content-Length: +%d\r\n\r\n" % len(body),
            b"Content-Length: 0x10\r\n\r\n",
            b"Transfer-Encoding: chunked, identity\r\n\r\n",
        )
    )
    return Said("a length that is none or two", (START + lines + body,), (400, 413, 415, 501))


def broken_chunks(chance: Random, task_id: str) -> Said:
    """A chunked body whose chunks are none."""
    body = _good(task_id)
    rest = chance.choice(
        (b"zz\r\n" + body, b"-5\r\n" + body, b"%x\r\n" % (len(body) - 1) + body + b"\r\n0\r\n\r\n", b"5;\n" + body)
    )
    return Said("broken chunks", (CHUNKED, rest))


def chunked_garbage(chance: Random, _task_id: str) -> Said:
    """A chunked body without a length: well framed, and garbage inside."""
    body = chance.randbytes(chance.randint(1, 400)) + b"}"
    return Said("a chunked body without a length", (CHUNKED, _chunk(body), b"0\r\n\r\n"), (400, 422))


def no_media_type(_chance: Random, task_id: str) -> Said:
    """A body of nobody knows what."""
    body = _good(task_id)
    head = b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    return Said("no media type", (head + body,), (415,))


def large_head(chance: Random, task_id: str) -> Said:
    """A head that is too large: a header, its name, many of them, or the path."""
    body = _good(task_id)
    return Said(
        "a head too large",
        (
            chance.choice(
                (
                    _sized(body, b"X-Large: " + b"x" * 20_000),
                    _sized(body, b"X-" + b"x" * 20_000 + b": 1"),
                    _sized(body, *[b"X-%d: %s" % (number, b"x" * 50) for number in range(3_000)]),
                    b"POST /v1/tasks?" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
                )
            ),
        ),
        (400, 414, 431),
    )


def no_http(chance: Random, _task_id: str) -> Said:
    """Another protocol, or none."""
    return Said(
        "no HTTP",
        (
            chance.choice(
                (
                    b"POST /v1/tasks HTTP/9.9\r\n\r\n",
                    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                    b"*1\r\n$8\r\nFLUSHALL\r\n",
                    b"AMQP\x00\x00\x09\x01\r\n\r\n",
                    b"\x00\x00\x00\x12\x00\x12\x00\x00\r\n\r\n",
                    b"POST\r\n\r\n",
                    b"POST /v1/tasks\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
                )
            ),
        ),
    )


RAW: tuple[Callable[[Random, str], Said], ...] = (
    line_break_in_a_header,
    two_keys,
    two_lengths,
    broken_chunks,
    chunked_garbage,
    no_media_type,
    large_head,
    no_http,
)


def body_too_large(limit: int) -> Mapping[str, Said]:
    """A byte more than the largest body: announced, or in chunks, where it shows only under way."""
    body = _good("never") + b" " * (limit + 1 - len(_good("never")))
    halves = (body[: limit // 2], body[limit // 2 :])
    return {
        "announced": Said("a body too large, announced", (START + b"Content-Length: %d\r\n\r\n" % len(body),), (413,)),
        "chunked": Said("a body too large, chunked", (CHUNKED, *map(_chunk, halves), b"0\r\n\r\n"), (413,)),
    }


async def conversation(url: str, said: Said) -> bytes:
    """What the server says until it closes or has said something whole; empty if it closes at once."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in said.pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(65_536), ANSWER_SECONDS)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def status_of(answer: bytes) -> int:
    """The status in the first line; 0 if there is none."""
    first = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(first[1]) if len(first) > 1 and first[0].startswith(b"HTTP/1.") and first[1].isdigit() else 0
