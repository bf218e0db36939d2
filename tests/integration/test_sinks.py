"""The sinks as a program of their own: `python -m streamapp.cli.sinks`."""

import asyncio
import signal
import sys

from streamapp.cli.sinks import WebhookSink
from tests.integration.test_handlers import deliver, free_port, welcome
from tests.support.handlers import SECRET


async def test_both_sinks_run_in_the_foreground_until_sigterm() -> None:
    smtp_port, http_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "streamapp.cli.sinks",
        *("--smtp-port", str(smtp_port), "--http-port", str(http_port), "--secret", SECRET),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            assert b"sinks listen" in await process.stderr.readline()
        await welcome(smtp_port, {"email": "a@example.com"})
        await deliver(f"http://127.0.0.1:{http_port}/ok")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    assert b'"mails": 1' in said
    assert b'"deliveries": 1' in said


async def test_a_sink_that_was_not_started_can_be_stopped() -> None:
    await WebhookSink().stop()
