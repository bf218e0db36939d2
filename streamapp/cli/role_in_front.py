"""A Faust role as a child of this command: its log in a file, started and stopped with the command."""

import asyncio
import os
import sys
from pathlib import Path

from streamapp.domain.errors import Unavailable
from streamapp.settings import Settings

STOP_SECONDS = 40.0
TAIL_LINES = 15


class ChildRole:
    """The process that `faust -A streamapp worker` is with these settings."""

    def __init__(self, settings: Settings, log_file: Path) -> None:
        self._level = settings.log.faust_level
        self._environment = {**os.environ, "STREAMAPP_ROLE": settings.role}
        self.log_file = log_file
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it is ready when its web server says so."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "faust", "-A", "streamapp", "worker", "-l", self._level),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment,
            )

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """Ask it to end, and wait; it is killed if that takes too long.

        Raises:
            Unavailable: it ended with an error; with the end of its log.
        """
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            code = await process.wait()
        if code:
            raise Unavailable(f"the role ended with {code}. Its log {self.log_file} ends:\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-TAIL_LINES:])
