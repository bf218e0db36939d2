"""A headless Chromium, told what to do over the DevTools protocol. In: commands. Out: answers and events.

It looks up no name and talks to the loopback only, so that a page which needs anything from elsewhere fails.
"""

import asyncio
import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.waiting import until

Json = dict[str, Any]
Listener = Callable[[str, Json], None]

START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_death_signal = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None)


class Refused(Exception):
    """The browser did not do what it was told."""


def binary() -> str:
    """Where Chromium is: `STREAMAPP_TEST_CHROMIUM`, or the one on the path."""
    named = os.environ.get("STREAMAPP_TEST_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "the tests of the pages need Chromium: apt-get install chromium fonts-liberation"
    return found


class Chromium:
    """One browser. Each tab is a session of its own in a context of its own."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._listeners: dict[str, Listener] = {}
        self._reading = asyncio.create_task(self._read())

    async def tell(self, method: str, session: str | None = None, **parameters: Any) -> Json:
        """One command, and its answer."""
        number = next(self._numbers)
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message if session is None else {**message, "sessionId": session})
        return await asyncio.wait_for(answer, ANSWER_SECONDS)

    def listen(self, session: str, listener: Listener) -> None:
        """Hand the events of a session to `listener`."""
        self._listeners[session] = listener

    def forget(self, session: str) -> None:
        """No events of this session any more."""
        self._listeners.pop(session, None)

    async def close(self) -> None:
        """Stop listening."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            said = message.json()
            answer = self._waiting.pop(said.get("id"), None)
            if answer is not None and not answer.done():
                if "error" in said:
                    answer.set_exception(Refused(said["error"]["message"]))
                else:
                    answer.set_result(said["result"])
            elif (listener := self._listeners.get(said.get("sessionId"))) is not None:
                listener(said["method"], said["params"])


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Chromium]:
    """A browser with an empty profile, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="streamapp-chromium-", ignore_cleanup_errors=True) as profile:
        process = _start(Path(profile))
        try:
            port_file = Path(profile) / "DevToolsActivePort"
            await until(lambda: port_file.exists() and len(port_file.read_text().split()) == 2, START_SECONDS)
            port, path = port_file.read_text().split()
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as socket,
            ):
                browser = Chromium(socket)
                try:
                    yield browser
                finally:
                    await browser.close()
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(profile: Path) -> "subprocess.Popen[bytes]":
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root with its sandbox
    command = [binary(), *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,
    )


def _die_with_parent() -> None:
    """In the child: a test run that is killed leaves no browser behind."""
    _libc.prctl(_death_signal, signal.SIGKILL)
