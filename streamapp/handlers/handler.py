"""One handler: its parameters checked, its function called."""

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from streamapp.domain.errors import PermanentFailure
from streamapp.domain.facts import Json
from streamapp.handlers.context import Context
from streamapp.tasktypes import TaskType
from streamapp.wire.submissions import field_errors

Function: TypeAlias = Callable[[Any, Context], Any]


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that does what a task type asks for.

    Attributes:
        task_type: None for the default handler.
        function: takes the parameters and a Context.
        module: where the function was found; what that module's `lifespan` yields is its resource.
    """

    task_type: TaskType | None
    function: Function
    module: str = ""

    @property
    def name(self) -> str:
        """Module and function, for messages."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def parse(self, payload: Json) -> BaseModel | dict[str, Any]:
        """`payload` as the function wants it: the type's model, or the dict as it is.

        Raises:
            PermanentFailure: it is not what the model asks for. The message has pointers and no values.
        """
        if not isinstance(payload, dict):
            raise PermanentFailure("the parameters are not a JSON object", error_type="InvalidParameters")
        if self.task_type is None or self.task_type.model is None:
            return payload
        try:
            return self.task_type.model.model_validate(payload)
        except ValidationError as error:
            message = "; ".join(f"{found.pointer or '/'}: {found.message}" for found in field_errors(error))
            raise PermanentFailure(message, error_type="InvalidParameters") from None

    async def __call__(self, params: Any, context: Context) -> Json:
        """Run the function. Whatever it raises comes out.

        A plain function's thread cannot be stopped: cancelled, this ends when the thread does, so that whoever counts
        running handlers counts right. Cancelled twice, it lets the thread go on alone.
        """
        context = replace(context, resource=context.environment.resources.get(self.module))
        if inspect.iscoroutinefunction(self.function):
            return await self.function(params, context)
        run = contextvars.copy_context().run
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(context.environment.threads, run, self._in_thread, params, context)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(_read_exception)
            await asyncio.wait({running})
            raise

    def _in_thread(self, params: Any, context: Context) -> Json:
        try:
            return self.function(params, context)
        except StopIteration as error:  # a future cannot carry it, and would never end
            raise RuntimeError("the handler raised StopIteration") from error


def _read_exception(running: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more; asyncio would log it as forgotten."""
    if not running.cancelled():
        running.exception()
