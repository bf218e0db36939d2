"""The command line of an installation, run as its user runs it."""

import asyncio
import json
import signal
import sys
from typing import Any

from tests.support.stack import PROJECT, AnyRole, Installation


def hear_interrupts() -> None:
    """In a child before it begins: Ctrl-C is heard, also where the test run is in the background and ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Command:
    """`streamapp …` with the settings of the process called `name`, so with its tables, its port and its group."""

    def __init__(self, made: Installation, role: AnyRole = "all", name: str | None = None, **settings: str) -> None:
        self.environment = made.environment(name or role, role, **settings)

    async def run(self, *arguments: str, code: int = 0, seconds: float = 100, typed: str = "") -> tuple[str, str]:
        """Standard output and standard error. Fails unless it ends with `code`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streamapp.cli", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
            cwd=PROJECT,
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = (part.decode() for part in await process.communicate(typed.encode()))
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        assert process.returncode == code, f"{arguments} ended with {process.returncode}:\n{out}\n{err}"
        return out, err

    async def document(self, *arguments: str, code: int = 0, seconds: float = 100) -> Any:
        """What it prints with `--json`."""
        out, _ = await self.run(*arguments, "--json", code=code, seconds=seconds)
        return json.loads(out)
