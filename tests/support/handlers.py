"""An environment and a context as the worker gives them to handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from streamapp.clock import SystemClock
from streamapp.handlers import Context, Environment, Handlers, open_environment
from streamapp.handlers.shipped import load
from streamapp.settings import Settings
from streamapp.tasktypes import Registry, TaskType
from streamapp.tasktypes.shipped import TYPES
from streamapp.telemetry import get_log

SECRET = "whsec_" + "c2VjcmV0LWZvci10ZXN0cw=="
SECRET_KEY = b"secret-for-tests"


class StillClock(SystemClock):
    """The time of the Standard Webhooks example, for ever."""

    def now_ms(self) -> int:
        return 1_674_087_231_999


def settings_with(**groups: dict[str, Any]) -> Settings:
    """Settings from nothing but defaults and `groups`."""
    return Settings.model_validate({"instance": "test", **groups})


def context(environment: Environment, task_id: str = "task-1", attempt: int = 1) -> Context:
    return Context(
        task_id=task_id,
        attempt=attempt,
        type="TEST",
        idempotency_key=task_id,
        redelivered=False,
        log=get_log("tests.handlers"),
        environment=environment,
    )


@asynccontextmanager
async def running(
    settings: Settings, types: tuple[TaskType, ...] = TYPES
) -> AsyncIterator[tuple[Handlers, Environment]]:
    """The handlers that `settings` ask for, and their environment."""
    handlers = load(settings, Registry.of(types))
    async with open_environment(settings, handlers, clock=StillClock()) as environment:
        yield handlers, environment


async def run(handlers: Handlers, type: str, payload: Any, context: Context) -> Any:
    """As the worker does: bound, parsed, called."""
    handler = handlers.get(type)
    assert handler is not None
    return await handler(handler.parse(payload), context)
