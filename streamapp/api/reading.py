"""Requests as values: the body as parsed JSON, the Idempotency-Key, the trace. Bounded in size, time and depth."""

import asyncio
import re
from typing import Any

import aiohttp
from aiohttp import web

from streamapp.api.connections import broke_off
from streamapp.api.problems import Problem
from streamapp.wire import json

IDEMPOTENCY_KEY = "Idempotency-Key"
TRACEPARENT = "traceparent"

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, section 3.2: version ff and ids of zeros are invalid."""


async def read_document(request: web.Request, *, timeout_seconds: float) -> Any:
    """The body as a JSON value.

    Raises:
        Problem: 400 not JSON, 408 too slow, 413 larger than the application's limit, 415 another media type.
    """
    _demand_json(request)
    length, limit = request.content_length, request.client_max_size
    if length is not None and length > limit:
        raise _too_large(limit)
    try:
        if request.content.is_eof():
            body = await request.read()
        else:
            async with asyncio.timeout(timeout_seconds):
                body = await request.read()
    except TimeoutError:
        headers = {"Connection": "close"}
        detail = f"the body must arrive within {timeout_seconds:g} s"
        raise Problem("request-timeout", detail, headers=headers) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except (aiohttp.ClientError, web.RequestPayloadError, aiohttp.http.HttpProcessingError, ConnectionError) as error:
        raise Problem("malformed-request", f"the body cannot be read: {type(error).__name__}") from None
    if broke_off(request):
        raise Problem("malformed-request", "the chunks of the body cannot be read", headers={"Connection": "close"})
    try:
        return json.parse(body)
    except json.Malformed as error:
        raise Problem("malformed-json", str(error)) from None


def read_idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key, if there is one.

    Raises:
        Problem: 400 more than one, or not 1 to 128 characters of `A-Z a-z 0-9 . _ : -`.
    """
    given = request.headers.getall(IDEMPOTENCY_KEY, ())
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        detail = f"{IDEMPOTENCY_KEY}: one value of 1 to 128 characters out of A-Z a-z 0-9 . _ : -"
        raise Problem("invalid-header", detail)
    return given[0]


def read_traceparent(request: web.Request) -> str | None:
    """The trace, if the header is what W3C Trace Context asks for; anything else is ignored, as it asks, too."""
    value = request.headers.get(TRACEPARENT)
    return value if value is not None and _TRACE.fullmatch(value) else None


def _demand_json(request: web.Request) -> None:
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise Problem("unsupported-media-type", "compressed bodies are not read: send no Content-Encoding")
    given = request.headers.get("Content-Type")
    if given == "application/json":
        return
    if given is None or request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise Problem("unsupported-media-type", "Content-Type must be application/json, in UTF-8")


def _too_large(limit: int) -> Problem:
    return Problem("body-too-large", f"at most {limit} bytes are read", headers={"Connection": "close"})
