"""An operator at the command line, in front of two diary processes that have folded the prepared history."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamapp.cli import client
from streamapp.cli.commands import main
from tests.support.memory_diary import Cluster, SetClock, cluster
from tests.support.proxy import UP, Proxy, Sees
from tests.unit.diary.conftest import NOW, history


class Operator:
    """Runs commands. `asked` has every view that was asked for, with its query; `sent` what went over the wire."""

    def __init__(self, made: Cluster, proxy: Proxy) -> None:
        self.made = made
        self.proxy = proxy
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.sent: list[bytes]

    @property
    def environment(self) -> dict[str, str]:
        return {"STREAMAPP_DIARY__PORT": str(self.proxy.port)}

    async def run(self, *arguments: str, code: int = 0) -> Result:
        """One command, to its end, in a thread: the views are served in this one."""
        runner = CliRunner(env=self.environment)
        result = await asyncio.to_thread(runner.invoke, main, list(arguments))
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        return result

    async def text(self, *arguments: str, code: int = 0) -> str:
        return (await self.run(*arguments, code=code)).stdout

    async def document(self, *arguments: str, code: int = 0) -> Any:
        behind = arguments.index("--") if "--" in arguments else len(arguments)
        options = [*arguments[:behind], "--json", *arguments[behind:]]
        return json.loads((await self.run(*options, code=code)).stdout)

    async def view(self, path: str) -> Any:
        """What the diary itself answers."""
        _, view = await self.made.processes[0].get(path)
        return view


@pytest.fixture
async def operator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operator]:
    for name in list(os.environ):
        if name.startswith("STREAMAPP_"):
            monkeypatch.delenv(name)
    async with cluster(SetClock(NOW)) as made:
        await made.tell(history())
        sent: list[bytes] = []

        def tap(_: int) -> Sees:
            return lambda direction, data: sent.append(data) if direction == UP else None

        proxy = Proxy("127.0.0.1", int(made.processes[0].url.rsplit(":", 1)[1]), tap=tap)
        await proxy.start()
        found = Operator(made, proxy)
        found.sent = sent
        real = client.ask_diary

        async def noted(settings: Any, path: str, parameters: Any = (), **more: Any) -> Any:
            found.asked.append((path, list(parameters)))
            return await real(settings, path, parameters, **more)

        monkeypatch.setattr(client, "ask_diary", noted)
        yield found
        await proxy.stop()
