"""Opens the sealed fields of a job's parameters, and knows which texts must not leave the handler again.

In: a job and its type. Out: parameters in clear, and the secrets in them. Never logs a value.
"""

from collections.abc import Iterator
from typing import Any

from streamapp.domain.facts import Json
from streamapp.tasktypes import TaskType
from streamapp.wire.jobs import Job
from streamapp.wire.sealing import Sealer


def open_sealed(job: Job, task_type: TaskType | None, sealer: Sealer | None) -> tuple[Json, tuple[str, ...]]:
    """The parameters in clear, and the texts of their sensitive fields, longest first.

    Raises:
        PermanentFailure: a field was sealed with another key or for another task.
    """
    parameters = job.parameters
    if task_type is None or not task_type.sensitive or sealer is None or not isinstance(parameters, dict):
        return parameters, ()
    opened = sealer.open(parameters, task_type.sensitive, job.task_id)
    secrets = {text for name in task_type.sensitive for text in _texts(opened.get(name))}
    # Longest first: a secret that is part of another one must not leave the other's rest in clear.
    return opened, tuple(sorted(secrets, key=len, reverse=True))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool) and str(value):
        yield str(value)
