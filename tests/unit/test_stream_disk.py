"""A full disk is told from other failures, and ends the process with what to do."""

import errno
import json
import subprocess
import sys

import pytest

from streamapp.stream.disk import no_room

FULL = (
    "IO error: No space left on device: While appending to file: /data/tasks-3.db/000004.log: No space left on device"
)
STORES_ONTO_A_FULL_DISK = """
import asyncio, sys
from streamapp.stream.write_behind import WriteBehind
from streamapp.telemetry import configure

class Table:
    unstored_bytes = 1
    unstored = lambda self: [3]
    passing = lambda self, partition: False
    take = lambda self, partition: None

    async def store(self, partition):
        raise Exception(sys.argv[1])

async def fold():
    behind = WriteBehind("diary", [Table()], 0.01)
    await behind.folded()
    await behind.close()

configure("json", "INFO", role="diary", instance="diary")
asyncio.run(fold())
print("went on")
"""


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (Exception(FULL), True),
        (Exception("IO error: Disk quota exceeded: While appending to file: /data/tasks-3.db/000004.log"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (Exception("IO error: Input/output error"), False),
        (OSError(errno.EIO, "Input/output error"), False),
        (ValueError("a payload that says No space left on device"), False),
    ],
)
def test_full_disk_is_told_from_other_failures(error: Exception, full: bool) -> None:
    assert no_room(error) is full


def test_full_disk_ends_the_process() -> None:
    command = [sys.executable, "-c", STORES_ONTO_A_FULL_DISK, FULL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = [json.loads(text) for text in done.stderr.splitlines()]
    assert line["level"] == "error"
    assert "make room" in line["message"]
    assert "/data/tasks-3.db" in line["error"]
