"""Fixtures of the power cuts: a file system for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.power.filesystem import FileSystem
from tests.faults.power.lifetime import file_system

MEBIBYTES = 2048
"""The file behind it is sparse; RabbitMQ takes nothing while less than 200 MB are free."""


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FileSystem]:
    """A mounted file system. Its size in MiB: `@pytest.mark.parametrize("disk", [120], indirect=True)`."""
    with file_system(tmp_path / "power", getattr(request, "param", MEBIBYTES)) as made:
        yield made
