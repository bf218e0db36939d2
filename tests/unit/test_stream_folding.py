"""A batch is tried again until it is folded."""

import errno
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.stream.batch import Record, RecordBatch
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


@pytest.mark.parametrize(
    ("applied", "wanted"),
    [
        ((100, 100), [(100, 150, [100, 120, 149])]),
        ((120, 130), [(120, 150, [120, 149])]),
        ((200, 130), [(130, 150, [149])]),
        ((150, 200), []),
        ((None, 100), []),
    ],
)
async def test_what_the_tables_have_is_not_folded_again(
    applied: tuple[int | None, ...], wanted: list[tuple[int, int, list[int]]]
) -> None:
    """Reading begins where the agent of this process needs it that is furthest behind."""
    batch = RecordBatch("topic", 3, 100, 150, [Record(offset, b"k", b"v", 0) for offset in (100, 120, 149)])
    tables: list[Any] = [SimpleNamespace(applied=lambda _, offset=offset: offset) for offset in applied]
    got: list[tuple[int, int, list[int]]] = []

    async def handle(given: RecordBatch) -> None:
        got.append((given.start, given.end, [record.offset for record in given.records]))

    async def folded() -> None:
        assert got

    await fold_for_ever("diary", batch, handle, tables, folded)
    assert got == wanted


def test_a_record_is_read_once_for_all_agents_and_a_part_of_the_batch_by_itself() -> None:
    batch = RecordBatch("topic", 3, 100, 150, [Record(offset, b"k", b"v", 7) for offset in (100, 120, 149)])
    read: list[int] = []

    def says(key: bytes | None, value: bytes | None, offset: int, at: int) -> tuple[Any, ...]:
        read.append(offset)
        return key, value, offset, at

    numbers = (0, 1, 0, 1, 2, 2)  # one agent, another one that overtakes it, and the rest
    assert [batch.item(number, says) for number in numbers] == [(b"k", b"v", (100, 120, 149)[n], 7) for n in numbers]
    assert read == [100, 120, 149]
    rest = batch.beyond(120)
    assert rest is not None
    assert rest.item(0, says)[2] == 120
