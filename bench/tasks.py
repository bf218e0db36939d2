"""The task of the benchmark: it does nothing. Where `BENCH_STARTS` names a file, every start is written there."""

import os
import time

from pydantic import BaseModel

from streamapp.domain.policy import Policy
from streamapp.handlers import Context, handles
from streamapp.tasktypes import TaskType

VARIABLE = "BENCH_STARTS"


class Payload(BaseModel):
    """About 200 bytes."""

    note: str


NOOP = TaskType("BENCH_NOOP", Payload, Policy(max_attempts=3, delay_seconds=1, timeout_seconds=10))
TYPES = (NOOP,)

_starts = open(os.environ[VARIABLE], "a", buffering=1) if os.environ.get(VARIABLE) else None  # noqa: SIM115


@handles(NOOP)
async def nothing(params: Payload, context: Context) -> None:
    """Do nothing."""
    if _starts is not None:
        _starts.write(f"{context.task_id} {time.time_ns()}\n")
