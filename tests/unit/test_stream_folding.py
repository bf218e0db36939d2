"""A batch is tried again until it is folded."""

import errno

from streamapp.stream.batch import RecordBatch
from streamapp.stream.folding import fold_for_ever

BATCH = RecordBatch("topic", 3, 0, 1, [])


async def test_failure_is_tried_again() -> None:
    failures = [Exception("IO error: Input/output error"), OSError(errno.EIO, "Input/output error")]
    told: list[int] = []

    async def handle(_: RecordBatch) -> None:
        if failures:
            raise failures.pop()

    async def folded() -> None:
        told.append(len(failures))

    await fold_for_ever("diary", BATCH, handle, [], folded)
    assert told == [0]
