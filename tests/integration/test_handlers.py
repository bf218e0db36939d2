"""The shipped handlers against a real mail server and a real HTTP server on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import ClientSession, web

from streamapp.cli.sinks import MailSink, WebhookSink
from streamapp.domain.errors import HandlerFailure, PermanentFailure, RetryableFailure
from tests.support.handlers import SECRET, SECRET_KEY, context, run, running, settings_with

LOOPBACK = "127.0.0.1"


@pytest.fixture
async def mail() -> AsyncIterator[MailSink]:
    sink = MailSink(
        {
            "nobody": "550 5.1.1 <nobody@example.com>: no such mailbox",
            "full": "452 4.2.2 mailbox of full@example.com is full",
            "odd": "554 no enhanced code, odd@example.com",
        }
    )
    await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def webhooks() -> AsyncIterator[WebhookSink]:
    sink = WebhookSink(SECRET_KEY)
    await sink.start()
    yield sink
    await sink.stop()


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """A port where somebody listens, takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(5)
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


async def welcome(port: int, payload: dict[str, Any], *, task_id: str = "task-1", **smtp: Any) -> Any:
    async with running(settings_with(smtp={"port": port, **smtp})) as (handlers, environment):
        return await run(handlers, "USER_CREATED", payload, context(environment, task_id))


async def deliver(url: str, *, task_id: str = "task-1", body: Any = None, **webhook: Any) -> Any:
    settings = settings_with(webhook={"signing_secret": SECRET, **webhook})
    async with running(settings) as (handlers, environment):
        payload = {"url": url, "body": {"n": 1} if body is None else body}
        return await run(handlers, "WEBHOOK_DELIVERY", payload, context(environment, task_id))


async def test_a_welcome_email_arrives_and_its_result_has_no_address_in_it(mail: MailSink) -> None:
    result = await welcome(mail.port, {"email": "Ana.Lima@example.com", "name": "Ana", "plan": "free"})
    [message] = mail.messages
    assert message["To"] == "Ana.Lima@example.com"
    assert message["X-RcptTo"] == "Ana.Lima@example.com"
    assert message["From"] == "welcome@streamapp.example"
    assert message["Subject"] == "Welcome!"
    assert message["Message-ID"] == result["messageId"]
    assert message["Date"] == "Thu, 19 Jan 2023 00:13:51 -0000"
    assert "Hello Ana," in message.get_payload()
    assert result["to"]["domain"] == "example.com"
    assert "lima" not in str(result).lower()


async def test_every_attempt_of_one_task_sends_the_same_message_id(mail: MailSink) -> None:
    once = await welcome(mail.port, {"email": "a@example.com"})
    again = await welcome(mail.port, {"email": "a@example.com"})
    other = await welcome(mail.port, {"email": "a@example.com"}, task_id="task-2")
    assert once == again
    assert other["messageId"] != once["messageId"]
    assert other["to"]["digest"] != once["to"]["digest"]
    assert mail.count == 3


@pytest.mark.parametrize("payload", [{}, {"email": None}, {"email": ""}])
async def test_a_payload_without_an_address_fails_for_good_with_that_reason(payload: dict[str, Any]) -> None:
    with pytest.raises(PermanentFailure, match=r"^payload has no e-mail address$") as raised:
        await welcome(free_port(), payload)
    assert raised.value.error_type == "NoEmailAddress"


@pytest.mark.parametrize(
    "address",
    [
        "a@example.com\r\nBcc: everybody@example.com",
        "a@example.com\nSubject: cheap",
        "a@example.com, b@example.com",
        "Ana <a@example.com>",
        "a@example.com\x00",
        "not an address",
        "nobody-at-all",
        "@example.com",
        "a@",
        "a@@example.com",
        "\u2028a@example.com",
        "a@b@c",
        ".",
        "a@[",
        '"',
    ],
)
async def test_no_address_can_add_headers_or_recipients(mail: MailSink, address: str) -> None:
    with pytest.raises(PermanentFailure) as raised:
        await welcome(mail.port, {"email": address})
    assert raised.value.error_type == "BadAddress"
    assert "example.com" not in str(raised.value)
    assert mail.count == 0


async def test_a_name_cannot_add_headers(mail: MailSink) -> None:
    await welcome(mail.port, {"email": "a@example.com", "name": "Ana\r\nBcc: b@example.com\r\n\r\n{sender} \u202e"})
    [message] = mail.messages
    assert message["Bcc"] is None
    assert "Hello Ana Bcc: b@example.com {sender}," in message.get_payload()


@pytest.mark.parametrize(
    ("recipient", "kind", "error_type", "says"),
    [
        ("nobody", PermanentFailure, "Smtp550", "550 5.1.1"),
        ("odd", PermanentFailure, "Smtp554", "554"),
        ("full", RetryableFailure, "Smtp452", "452 4.2.2"),
    ],
)
async def test_a_refusal_is_poison_or_pressure_as_its_code_says_and_quotes_no_address(
    mail: MailSink, recipient: str, kind: type[HandlerFailure], error_type: str, says: str
) -> None:
    with pytest.raises(kind) as raised:
        await welcome(mail.port, {"email": f"{recipient}@example.com"})
    assert raised.value.error_type == error_type
    assert str(raised.value) == f"the mail server answered {says}"


async def test_no_mail_server_is_retryable() -> None:
    with pytest.raises(RetryableFailure) as raised:
        await welcome(free_port(), {"email": "a@example.com"})
    assert raised.value.error_type == "SmtpUnreachable"


async def test_a_mail_server_that_says_nothing_is_retryable() -> None:
    async with silent() as port:
        with pytest.raises(RetryableFailure) as raised:
            await welcome(port, {"email": "a@example.com"}, timeout_seconds=0.3)
    assert raised.value.error_type == "SmtpTimeout"


async def test_a_mail_server_that_hangs_up_is_retryable() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(hang_up, LOOPBACK, 0)
    try:
        with pytest.raises(RetryableFailure) as raised:
            await welcome(server.sockets[0].getsockname()[1], {"email": "a@example.com"})
        assert raised.value.error_type == "SmtpUnreachable"
    finally:
        server.close()
        await server.wait_closed()


async def test_a_login_that_the_mail_server_does_not_offer_is_retryable_and_sends_nothing(mail: MailSink) -> None:
    with pytest.raises(RetryableFailure) as raised:
        await welcome(mail.port, {"email": "a@example.com"}, username="me", password="s3cret")
    assert "s3cret" not in str(raised.value)
    assert mail.count == 0


async def test_an_address_beyond_ascii_is_written_to(mail: MailSink) -> None:
    await welcome(mail.port, {"email": "jürgen@example.com", "name": "Jürgen"})
    [message] = mail.messages
    assert message["X-RcptTo"] == "jürgen@example.com"


async def test_a_webhook_is_signed_and_its_answer_is_not_kept(webhooks: WebhookSink) -> None:
    result = await deliver(f"{webhooks.url}/ok", body={"n": [1, {"ü": None}]})
    assert result["status"] == 200
    assert result["bytes"] == len('{"n":[1,{"ü":null}]}'.encode())
    assert set(result) == {"status", "bytes", "durationMs"}
    assert list(webhooks.bodies) == [{"n": [1, {"ü": None}]}]
    assert webhooks.accepted == {"task-1": 1}


async def test_a_webhook_signed_with_another_secret_is_refused_for_good(webhooks: WebhookSink) -> None:
    with pytest.raises(PermanentFailure) as raised:
        await deliver(f"{webhooks.url}/ok", signing_secret="another")
    assert raised.value.error_type == "Http401"
    assert not webhooks.deliveries


async def test_a_flaky_receiver_is_retryable_and_recognises_the_next_attempt(webhooks: WebhookSink) -> None:
    for _ in range(2):
        with pytest.raises(RetryableFailure, match="503") as raised:
            await deliver(f"{webhooks.url}/flaky?fail=2")
        assert raised.value.error_type == "Http503"
    assert (await deliver(f"{webhooks.url}/flaky?fail=2"))["status"] == 200
    assert webhooks.deliveries == {"task-1": 3}
    async with ClientSession() as session, session.get(f"{webhooks.url}/received") as response:
        assert await response.json() == {"deliveries": {"task-1": 3}, "accepted": {"task-1": 1}}


async def test_a_receiver_that_is_gone_fails_for_good(webhooks: WebhookSink) -> None:
    with pytest.raises(PermanentFailure, match="410") as raised:
        await deliver(f"{webhooks.url}/gone")
    assert raised.value.error_type == "Http410"


async def test_a_slow_receiver_is_retryable(webhooks: WebhookSink) -> None:
    with pytest.raises(RetryableFailure) as raised:
        await deliver(f"{webhooks.url}/slow?seconds=30", timeout_seconds=0.3)
    assert raised.value.error_type == "HttpTimeout"


async def test_no_receiver_is_retryable() -> None:
    with pytest.raises(RetryableFailure) as raised:
        await deliver(f"http://{LOOPBACK}:{free_port()}/")
    assert raised.value.error_type == "HttpUnreachable"


async def test_without_a_secret_nothing_is_sent_and_the_setting_is_named(webhooks: WebhookSink) -> None:
    with pytest.raises(PermanentFailure, match="STREAMAPP_WEBHOOK__SIGNING_SECRET"):
        await deliver(f"{webhooks.url}/ok", signing_secret=None)
    assert not webhooks.deliveries


async def test_a_host_that_is_not_allowed_gets_nothing(webhooks: WebhookSink) -> None:
    with pytest.raises(PermanentFailure) as raised:
        await deliver(f"{webhooks.url}/ok", allowed_hosts=["hooks.example.com"])
    assert raised.value.error_type == "HostNotAllowed"
    assert not webhooks.deliveries
    assert (await deliver(f"{webhooks.url}/ok", allowed_hosts=["hooks.example.com", LOOPBACK]))["status"] == 200


@pytest.mark.parametrize("url", ["ftp://example.com/", "file:///etc/passwd", "http://", "example.com", "http://a b/"])
async def test_what_is_no_http_url_fails_for_good(url: str) -> None:
    with pytest.raises(PermanentFailure) as raised:
        await deliver(url)
    assert raised.value.error_type in {"InvalidParameters", "BadUrl"}
    assert "passwd" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (202, None),
        (204, None),
        (301, PermanentFailure),
        (302, PermanentFailure),
        (307, PermanentFailure),
        (400, PermanentFailure),
        (404, PermanentFailure),
        (408, RetryableFailure),
        (409, PermanentFailure),
        (422, PermanentFailure),
        (425, RetryableFailure),
        (429, RetryableFailure),
        (500, RetryableFailure),
        (502, RetryableFailure),
        (599, RetryableFailure),
    ],
)
async def test_every_status_is_success_poison_or_pressure(status: int, kind: type[HandlerFailure] | None) -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        headers = {"Location": "/elsewhere", "Set-Cookie": "a=b"}
        return web.Response(status=status, headers=headers)

    async with serving(answer) as url:
        if kind is None:
            assert (await deliver(url))["status"] == status
        else:
            with pytest.raises(kind) as raised:
                await deliver(url)
            assert raised.value.error_type == f"Http{status}"
    assert seen == ["/"]  # no redirect followed


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65_536)
                sent += 65_536
        return response

    async with serving(flood) as url:
        assert (await deliver(url, timeout_seconds=60))["status"] == 200
    assert sent < 64 * 1024 * 1024


async def test_a_tasks_cookies_are_no_business_of_the_next() -> None:
    cookies = []

    async def answer(request: web.Request) -> web.Response:
        cookies.append(dict(request.cookies))
        return web.Response(headers={"Set-Cookie": "session=one"})

    settings = settings_with(webhook={"signing_secret": SECRET})
    async with serving(answer) as url, running(settings) as (handlers, environment):
        for task_id in ("t-1", "t-2"):
            await run(handlers, "WEBHOOK_DELIVERY", {"url": url, "body": {}}, context(environment, task_id))
    assert cookies == [{}, {}]


async def test_an_unregistered_type_gets_the_default_handler() -> None:
    async with running(settings_with()) as (handlers, environment):
        result = await run(handlers, "ORDER_SHIPPED", {"b": 1, "a": [2]}, context(environment))
        assert result["fields"] == ["a", "b"]


@asynccontextmanager
async def serving(answer: Any) -> AsyncIterator[str]:
    """An HTTP server with one answer for every path; yields its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    try:
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
