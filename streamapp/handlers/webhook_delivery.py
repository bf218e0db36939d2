"""WEBHOOK_DELIVERY: a signed JSON body over HTTP, in the form of Standard Webhooks (https://www.standardwebhooks.com).

In: a URL and a body. Out: status, bytes posted and duration. Redirects are not followed; the answer's body is read up
to a limit, so that the connection can be used again, and not kept.
"""

import base64
import binascii
import hashlib
import hmac
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientTimeout, InvalidURL
from pydantic import SecretStr

from streamapp.domain.errors import HandlerFailure, PermanentFailure, RetryableFailure
from streamapp.domain.facts import Json
from streamapp.handlers.bind import handles
from streamapp.handlers.context import Context
from streamapp.tasktypes.shipped import WEBHOOK_DELIVERY, WebhookDelivery
from streamapp.wire import json

SECRET_SETTING = "STREAMAPP_WEBHOOK__SIGNING_SECRET"  # noqa: S105 - the name of a setting
HOSTS_SETTING = "STREAMAPP_WEBHOOK__ALLOWED_HOSTS"
MAX_ANSWER_BYTES = 65_536

_TRY_LATER = frozenset({408, 425, 429})
_PRINTABLE_ASCII = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")


@handles(WEBHOOK_DELIVERY)
async def deliver_webhook(params: WebhookDelivery, context: Context) -> Json:
    """Post the body. The receiver recognises a second delivery by `Idempotency-Key` and `Webhook-Id`.

    Raises:
        PermanentFailure: no signing secret, a host that is not allowed, or a status that will not change (3xx, 4xx).
        RetryableFailure: 5xx, 408, 425, 429, no connection, no answer in time.
    """
    webhook = context.environment.webhook
    if webhook.allowed_hosts and params.url.host not in webhook.allowed_hosts:
        raise PermanentFailure(f"the host of the URL is not in {HOSTS_SETTING}", error_type="HostNotAllowed")
    clock = context.environment.clock
    body = json.dump(params.body)
    headers = sign(body, _header(context.idempotency_key), clock.now_ms() // 1000, key(webhook.signing_secret))
    begun = clock.monotonic()
    try:
        async with context.environment.http.post(
            str(params.url),
            data=body,
            headers={"Content-Type": "application/json", "Webhook-Event": _header(params.event), **headers},
            timeout=ClientTimeout(total=webhook.timeout_seconds),
            allow_redirects=False,
        ) as response:
            await _read(response)
    except TimeoutError:
        message = f"no answer within {webhook.timeout_seconds:g} s"
        raise RetryableFailure(message, error_type="HttpTimeout") from None
    except InvalidURL:
        raise PermanentFailure("the URL cannot be used", error_type="BadUrl") from None
    except ClientError as error:
        name = type(error).__name__
        raise RetryableFailure(f"the receiver cannot be reached ({name})", error_type="HttpUnreachable") from None
    if not 200 <= response.status <= 299:
        raise _answered(response.status)
    return {"status": response.status, "bytes": len(body), "durationMs": round((clock.monotonic() - begun) * 1000)}


def key(secret: SecretStr | None) -> bytes:
    """The HMAC key in a signing secret: base64 after `whsec_`, else the secret as it is.

    Raises:
        PermanentFailure: there is no secret, or what follows `whsec_` is not base64.
    """
    if secret is None or not secret.get_secret_value():
        raise PermanentFailure(f"webhooks must be signed: set {SECRET_SETTING}", error_type="NoSigningSecret")
    prefix, found, encoded = secret.get_secret_value().partition("whsec_")
    if not found or prefix:
        return secret.get_secret_value().encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        message = f"{SECRET_SETTING} begins with whsec_, but no base64 follows"
        raise PermanentFailure(message, error_type="NoSigningSecret") from None


def sign(body: bytes, id: str, timestamp: int, key: bytes) -> dict[str, str]:
    """The headers of a delivery. `timestamp` is in seconds since the epoch; `id` must be plain ASCII."""
    signed = f"{id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "Idempotency-Key": id,
        "Webhook-Id": id,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": f"v1,{signature}",
    }


def _header(text: str) -> str:
    """As a header value: what is not printable ASCII is percent-encoded, so that no two texts become the same."""
    return quote(text, safe=_PRINTABLE_ASCII, errors="surrogatepass")


async def _read(response: ClientResponse) -> None:
    left = MAX_ANSWER_BYTES
    while left > 0 and (chunk := await response.content.read(left)):
        left -= len(chunk)
    if left <= 0:
        response.close()  # the rest is not wanted; the connection cannot be used again


def _answered(status: int) -> HandlerFailure:
    kind = RetryableFailure if status >= 500 or status in _TRY_LATER else PermanentFailure
    return kind(f"the receiver answered {status}", error_type=f"Http{status}")
