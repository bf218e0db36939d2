"""A client of Kafka that has stopped working for good takes its process with it."""

import asyncio

import pytest

from streamapp.stream import clients


async def _run(coroutine: object, *, cancelled: bool = False) -> None:
    task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
    task.add_done_callback(clients.end_if_it_failed)
    await asyncio.sleep(0)
    if cancelled:
        task.cancel()
    await asyncio.wait({task})


async def test_process_ends_with_a_task_that_failed_and_with_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[int] = []
    monkeypatch.setattr(clients.os, "_exit", ends.append)

    async def fails() -> None:
        raise KeyError("connection")

    await _run(asyncio.sleep(0))
    await _run(asyncio.sleep(60), cancelled=True)
    assert ends == []
    await _run(fails())
    assert ends == [1]
    assert "reading from Kafka has ended" in caplog.text
