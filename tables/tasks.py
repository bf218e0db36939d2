"""Tasks: state with full history, one record per task. Fed by the diary; the answer to `GET /v1/tasks/{taskId}`."""

from collections.abc import Iterator, Mapping

import msgspec

from streamapp.domain.task import Task
from streamapp.stream.table import BatchTable

NAME = "tasks"
FORM = 2
"""Of the rows. Another one is a table that has to be folded anew (decision 0020)."""

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Task)


def encode(task: Task) -> bytes:
    """The record of a task: equal tasks give equal bytes."""
    return _encode(task)


def decode(value: bytes) -> Task:
    """The task in a record."""
    return _decoder.decode(value)


class Tasks:
    """The table of tasks."""

    def __init__(self, table: BatchTable) -> None:
        self.table = table

    def get(self, partition: int, task_id: bytes) -> Task | None:
        """The task as last folded, or None."""
        value = self.table.get(partition, task_id)
        return None if value is None else decode(value)

    def all(self, partition: int) -> Iterator[Task]:
        """Every task of a partition, by id. Blocks."""
        return (decode(value) for _, value in self.table.items(partition))

    def put(self, partition: int, tasks: Mapping[bytes, Task], applied: int) -> dict[bytes, bytes]:
        """Note the tasks of a batch. Returns their rows."""
        rows = {key: encode(task) for key, task in tasks.items()}
        self.table.put(partition, rows, applied)
        return rows
