"""One whole streamapp for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.brokers import RunningBrokers
from tests.support.whole import Whole


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, brokers_stack: RunningBrokers) -> Iterator[Whole]:
    """Everything runs, under the plain names of the documentation."""
    folder: Path = tmp_path_factory.mktemp("whole")
    installation = Whole(folder, brokers_stack)
    try:
        installation.command("up")
        yield installation
    finally:
        installation.command("down")
