"""Task types of the worker's tests; their handlers are in `worker_handlers`."""

from pydantic import BaseModel

from streamapp.domain.policy import Policy
from streamapp.tasktypes import TaskType


class Held(BaseModel):
    """`directory` is where the handler leaves marks and waits for the file `go`."""

    directory: str


HOLD = TaskType("HOLD", Held, Policy(timeout_seconds=60))
BLOCK = TaskType("BLOCK", Held, Policy(timeout_seconds=60), description="blocks the event loop instead")
DIE = TaskType("DIE", Held, Policy(timeout_seconds=60), description="kills its worker")

TYPES = (HOLD, BLOCK, DIE)
"""What `STREAMAPP_TASKS__TYPES` asks for."""
