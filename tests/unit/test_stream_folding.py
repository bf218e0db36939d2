"""A batch is tried again until it is folded, but for a full disk: that ends the process, and says what to do."""

import errno
import json
import subprocess
import sys

import pytest

from streamapp.stream.batch import RecordBatch
from streamapp.stream.folding import fold_for_ever, no_room

FULL = (
    "IO error: No space left on device: While appending to file: /data/tasks-3.db/000004.log: No space left on device"
)
BATCH = RecordBatch("topic", 3, 0, 1, [])
FOLDS_ONTO_A_FULL_DISK = """
import asyncio, sys
from streamapp.stream.batch import RecordBatch
from streamapp.stream.folding import fold_for_ever
from streamapp.telemetry import configure

async def handle(batch):
    raise Exception(sys.argv[1])

configure("json", "INFO", role="diary", instance="diary")
asyncio.run(fold_for_ever("diary", RecordBatch("topic", 3, 0, 1, []), handle, []))
print("acknowledged")
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


def test_full_disk_ends_the_process_before_the_batch_is_acknowledged() -> None:
    command = [sys.executable, "-c", FOLDS_ONTO_A_FULL_DISK, FULL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = [json.loads(text) for text in done.stderr.splitlines()]
    assert line["level"] == "error"
    assert "make room" in line["message"]
    assert "/data/tasks-3.db" in line["error"]


async def test_other_failure_is_tried_again() -> None:
    failures = [Exception("IO error: Input/output error"), OSError(errno.EIO, "Input/output error")]

    async def handle(_: RecordBatch) -> None:
        if failures:
            raise failures.pop()

    await fold_for_ever("diary", BATCH, handle, [])
    assert failures == []
