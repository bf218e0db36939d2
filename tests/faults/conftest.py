"""Fixtures of the fault suite, and its table at the end of a run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults import report
from tests.faults.arena import Arena, arena
from tests.support.brokers import RunningBrokers


@pytest.fixture
async def ring(brokers_stack: RunningBrokers, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Arena]:
    """An arena whose work gets done. Its settings: `@pytest.mark.parametrize("ring", [{…}], indirect=True)`."""
    async with arena(brokers_stack, tmp_path / "arena", **getattr(request, "param", {})) as made:
        await made.start()
        made.pour()
        await made.busy()
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the rows of this run, and how many kills there were in all runs that the report knows."""
    if found := report.added:
        terminalreporter.section("faults")
        terminalreporter.write_line(report.table(found))
        killed, ever = report.kills(found), report.kills(report.rows())
        terminalreporter.write_line(f"processes killed: {killed} in this run, {ever} in all runs of the report")
