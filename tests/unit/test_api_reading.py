"""Requests as values: the headers that are read, and what a body may be."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from streamapp.api.problems import Problem
from streamapp.api.reading import read_document, read_idempotency_key, read_traceparent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(*headers: tuple[str, str], body: bytes = b"{}") -> web.Request:
    payload = aiohttp.StreamReader(_NoProtocol(), 2**16)  # type: ignore[arg-type]
    payload.feed_data(body)
    payload.feed_eof()
    return make_mocked_request("POST", "/", CIMultiDict(headers), payload=payload, client_max_size=1000)


class _NoProtocol:
    _reading_paused = False

    def resume_reading(self, **_: Any) -> None:
        """Nothing arrives later."""


@pytest.mark.parametrize("value", ["a", "A.b_c:d-9", "x" * 128])
async def test_an_idempotency_key_is_read(value: str) -> None:
    assert read_idempotency_key(request(("Idempotency-Key", value))) == value


@pytest.mark.parametrize("value", ["", "x" * 129, "a b", "ä", "a\tb", '"quoted"', "a\n"])
async def test_any_other_idempotency_key_is_a_bad_header(value: str) -> None:
    with pytest.raises(Problem) as found:
        read_idempotency_key(request(("Idempotency-Key", value)))
    assert (found.value.status, found.value.slug) == (400, "invalid-header")


async def test_two_idempotency_keys_are_a_bad_header() -> None:
    with pytest.raises(Problem):
        read_idempotency_key(request(("Idempotency-Key", "a"), ("Idempotency-Key", "a")))


async def test_a_trace_is_read_and_anything_else_is_ignored() -> None:
    assert read_traceparent(request(("traceparent", TRACE))) == TRACE
    zeros = f"00-{'0' * 32}-b7ad6b7169203331-01"
    for value in ["", "nonsense", TRACE.upper(), "ff" + TRACE[2:], zeros, TRACE + "-more", TRACE + "\n"]:
        assert read_traceparent(request(("traceparent", value))) is None


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=utf-8"]
)
async def test_json_is_read(kind: str) -> None:
    assert await read_document(request(("Content-Type", kind), body=b'{"a": 1}'), timeout_seconds=5) == {"a": 1}


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Content-Type", "text/plain"),),
        (("Content-Type", "application/json; charset=latin-1"),),
        (("Content-Type", "application/jsonp"),),
        (("Content-Type", "application/json"), ("Content-Encoding", "gzip")),
        (("Content-Type", "application/json"), ("Content-Encoding", "identity, br")),
    ],
)
async def test_anything_else_is_an_unsupported_media_type(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(Problem) as found:
        await read_document(request(*headers), timeout_seconds=5)
    assert found.value.status == 415


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"1e400", b'"\\ud800"', b"\xff", b"[" * 900, b"{} {}"])
async def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as found:
        await read_document(request(("Content-Type", "application/json"), body=body), timeout_seconds=5)
    assert (found.value.status, found.value.slug) == (400, "malformed-json")


async def test_a_body_above_the_limit_is_too_large() -> None:
    with pytest.raises(Problem) as found:
        await read_document(request(("Content-Type", "application/json"), body=b" " * 1001), timeout_seconds=5)
    assert (found.value.status, found.value.slug) == (413, "body-too-large")
