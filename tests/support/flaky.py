"""A task type whose first attempt fails, for tests that want to see a second one."""

from typing import Any

from streamapp.domain.errors import RetryableFailure
from streamapp.domain.policy import Policy
from streamapp.handlers import Context, handles
from streamapp.tasktypes import TaskType

FLAKY = TaskType("FLAKY", None, Policy(max_attempts=3, delay_seconds=0.1, timeout_seconds=20))

TYPES = (FLAKY,)
"""What `STREAMAPP_TASKS__TYPES` asks for."""


@handles(FLAKY)
async def flaky(params: dict[str, Any], context: Context) -> dict[str, int]:
    """Fail the first time."""
    if context.attempt == 1:
        raise RetryableFailure("not yet", error_type="NotYet")
    return {"attempt": context.attempt}
