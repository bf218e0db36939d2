"""A task type for the tests of requeues, and its handler: fails for good until somebody has mended what it needs."""

from pathlib import Path

from pydantic import BaseModel

from streamapp.domain.policy import Policy
from streamapp.handlers import Context, PermanentFailure, handles
from streamapp.tasktypes import TaskType


class Needs(BaseModel):
    """`directory` is where a line is left for each run, and where the file `mended` is looked for."""

    directory: str


MENDABLE = TaskType("MENDABLE", Needs, Policy(max_attempts=2, delay_seconds=0.2, timeout_seconds=20))
TYPES = (MENDABLE,)
"""What `STREAMAPP_TASKS__TYPES` asks for."""


@handles(MENDABLE)
async def need(params: Needs, context: Context) -> dict[str, int]:
    """Leave a line; succeed if it is mended."""
    directory = Path(params.directory)
    with (directory / "runs").open("a") as runs:
        runs.write(f"{context.task_id}:{context.attempt}\n")
    if not (directory / "mended").exists():
        raise PermanentFailure("still broken")
    return {"attempt": context.attempt}
