"""A mail server and a webhook receiver on loopback, for the demo, for `up` and for tests.

In: what the shipped handlers send. Out: what has arrived, in memory. Nothing is forwarded or written to disk. In the
foreground: `python -m streamapp.cli.sinks --smtp-port 1025 --http-port 8025`.
"""

import asyncio
import base64
import hashlib
import hmac
import signal
from collections import Counter, deque
from collections.abc import Mapping
from email.message import Message
from typing import Any

import click
from aiohttp import web
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from streamapp import telemetry
from streamapp.handlers.webhook_delivery import key

LOOPBACK = "127.0.0.1"
KEPT = 1000
"""So many messages and deliveries are kept; all are counted."""

_log = telemetry.get_log(__name__)


class MailSink(MessageHandler):
    """An SMTP server that keeps what it gets.

    Args:
        refusals: local part of a recipient → SMTP answer, for example `{"nobody": "550 5.1.1 no such mailbox"}`.
    """

    def __init__(self, refusals: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.messages: deque[Message] = deque(maxlen=KEPT)
        self.count = 0
        self.port = 0
        self._refusals = dict(refusals or {})
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; 0 takes a free port, found in `port` afterwards."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="sink.invalid", enable_SMTPUTF8=True, loop=loop), LOOPBACK, port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a recipient, or refuse it as told."""
        refusal = self._refusals.get(address.partition("@")[0])
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 OK"

    def handle_message(self, message: Message) -> None:
        """Keep one message."""
        self.count += 1
        self.messages.append(message)
        _log.debug("mail arrived", subject=str(message["Subject"]))


class WebhookSink:
    """An HTTP server that behaves well or badly, as the path says: /ok, /flaky?fail=2, /gone, /slow?seconds=30.

    `GET /received` tells what has arrived. With a secret, a delivery whose signature is wrong is answered with 401.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self.deliveries: Counter[str] = Counter()
        """Deliveries by Idempotency-Key, whatever they were answered."""
        self.accepted: Counter[str] = Counter()
        """Those that were answered with 200."""
        self.bodies: deque[Any] = deque(maxlen=KEPT)
        self.port = 0
        self._secret = secret
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; 0 takes a free port, found in `port` afterwards."""
        app = web.Application()
        app.add_routes(
            [
                web.post("/ok", self._ok),
                web.post("/flaky", self._flaky),
                web.post("/gone", self._gone),
                web.post("/slow", self._slow),
                web.get("/received", self._received),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    async def _ok(self, request: web.Request) -> web.Response:
        key = await self._arrived(request)
        self.accepted[key] += 1
        return web.json_response({"accepted": True})

    async def _flaky(self, request: web.Request) -> web.Response:
        key = await self._arrived(request)
        if self.deliveries[key] <= int(request.query.get("fail", "1")):
            raise web.HTTPServiceUnavailable
        self.accepted[key] += 1
        return web.json_response({"accepted": True})

    async def _gone(self, request: web.Request) -> web.Response:
        await self._arrived(request)
        raise web.HTTPGone

    async def _slow(self, request: web.Request) -> web.Response:
        key = await self._arrived(request)
        await asyncio.sleep(float(request.query.get("seconds", "30")))
        self.accepted[key] += 1
        return web.json_response({"accepted": True})

    async def _received(self, request: web.Request) -> web.Response:
        return web.json_response({"deliveries": self.deliveries, "accepted": self.accepted})

    async def _arrived(self, request: web.Request) -> str:
        """Count a delivery. Returns its key."""
        body = await request.read()
        if self._secret is not None and not _signed(request.headers, body, self._secret):
            raise web.HTTPUnauthorized
        key = request.headers.get("Idempotency-Key", "")
        self.deliveries[key] += 1
        self.bodies.append(await request.json())
        _log.debug("webhook arrived", key=key, path=request.path)
        return key


def _signed(headers: Mapping[str, str], body: bytes, secret: bytes) -> bool:
    """Check as a receiver would, from the text of Standard Webhooks; not with the code that signs."""
    content = f"{headers.get('Webhook-Id')}.{headers.get('Webhook-Timestamp')}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(wanted, given) for given in headers.get("Webhook-Signature", "").split())


@click.command()
@click.option("--smtp-port", default=1025, show_default=True, help="Port of the mail server.")
@click.option("--http-port", default=8025, show_default=True, help="Port of the webhook receiver.")
@click.option("--secret", envvar="STREAMAPP_WEBHOOK__SIGNING_SECRET", help="Check signatures with this secret.")
@click.option("--log-level", default="INFO", show_default=True)
def main(smtp_port: int, http_port: int, secret: str | None, log_level: str) -> None:
    """Run a mail server and a webhook receiver on loopback until SIGTERM."""
    telemetry.configure("auto", log_level.upper(), role="sinks", instance="sinks")
    asyncio.run(_run(smtp_port, http_port, key(SecretStr(secret)) if secret else None))


async def _run(smtp_port: int, http_port: int, secret: bytes | None) -> None:
    mail, webhooks = MailSink(), WebhookSink(secret)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await mail.start(smtp_port)
        await webhooks.start(http_port)
        _log.info("✓ mail and webhook sinks listen", smtp_port=mail.port, http_port=webhooks.port)
        await stop.wait()
    finally:
        await mail.stop()
        await webhooks.stop()
        _log.info("sinks stopped", mails=mail.count, deliveries=webhooks.deliveries.total())


if __name__ == "__main__":
    main()
