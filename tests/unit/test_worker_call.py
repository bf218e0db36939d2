"""One call of a handler: whatever it does is an Outcome."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from streamapp.clock import SystemClock
from streamapp.domain.errors import PermanentFailure, RetryableFailure
from streamapp.domain.outcome import Completed, Failed, Outcome
from streamapp.handlers import Context, Handler
from streamapp.tasktypes import TaskType
from streamapp.telemetry import get_log
from streamapp.wire.jobs import Job
from streamapp.wire.sealing import REDACTED, Sealer
from streamapp.worker.call import Caller
from streamapp.worker.run import Run
from streamapp.worker.slots import Slots

SEALER = Sealer("ab" * 64)


class Login(BaseModel):
    user: str
    password: str


LOGIN = TaskType("LOGIN", Login, sensitive=("password",))
PLAIN = TaskType("PLAIN")


class OneHandler:
    """Handlers of a worker that knows one function."""

    def __init__(self, function: Callable[..., Any] | None, task_type: TaskType | None) -> None:
        self.function, self.task_type = function, task_type

    def get(self, type: str) -> Handler | None:
        return Handler(self.task_type, self.function) if self.function else None


async def call(
    function: Callable[..., Any] | None,
    parameters: Any = None,
    *,
    task_type: TaskType | None = PLAIN,
    timeout: float = 30,
    slots: Slots | None = None,
    grace: float = 0.05,
) -> Outcome:
    slots = slots or Slots(1)
    environment: Any = SimpleNamespace(resources={}, threads=None)
    handlers: Any = OneHandler(function, task_type)
    caller = Caller(handlers, SEALER, environment, SystemClock(), grace, 1000)
    job = Job("t-1", 2, "PLAIN", {} if parameters is None else parameters, timeout)
    run = Run(job, [], True, 0.0, get_log("test"))
    outcome, duration_ms = await caller.call(run, await slots.take())
    assert duration_ms >= 0
    return outcome


async def test_result_and_context() -> None:
    seen: list[Context] = []

    async def handler(params: Any, context: Context) -> Any:
        seen.append(context)
        return {"got": params}

    assert await call(handler, {"a": 1}) == Completed({"got": {"a": 1}})
    [context] = seen
    assert (context.task_id, context.attempt, context.idempotency_key, context.redelivered) == ("t-1", 2, "t-1", True)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class OddType(RetryableFailure):
    def __init__(self) -> None:
        super().__init__("odd")
        self.error_type = 7  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("bad"), Failed("ValueError", "bad", retryable=True)),
        (PermanentFailure("never", error_type="Poison"), Failed("Poison", "never", retryable=False)),
        (RetryableFailure("later"), Failed("RetryableFailure", "later", retryable=True)),
        (SystemExit(1), Failed("SystemExit", "1", retryable=True)),
        (KeyboardInterrupt(), Failed("KeyboardInterrupt", "", retryable=True)),
        (asyncio.CancelledError(), Failed("CancelledError", "", retryable=True)),
        (GeneratorExit(), Failed("GeneratorExit", "", retryable=True)),
        (BaseExceptionGroup("both", [SystemExit(1)]), None),
        (Unprintable(), Failed("Unprintable", "<no message>", retryable=True)),
        (OddType(), Failed("OddType", "<no message>", retryable=True)),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_every_exception_is_an_outcome(error: BaseException, expected: Failed | None) -> None:
    async def handler(params: Any, context: Context) -> None:
        raise error

    outcome = await call(handler)
    assert isinstance(outcome, Failed)
    assert expected is None or outcome == expected


async def test_type_without_handler_may_be_tried_again() -> None:
    outcome = await call(None)
    assert isinstance(outcome, Failed)
    assert (outcome.error_type, outcome.retryable) == ("NoHandler", True)


async def test_parameters_that_do_not_fit_are_permanent_and_not_quoted() -> None:
    async def handler(params: Any, context: Context) -> None:
        raise AssertionError("must not run")

    outcome = await call(handler, {"user": {"the": "canary"}, "password": "p"}, task_type=LOGIN)
    assert isinstance(outcome, Failed)
    assert (outcome.error_type, outcome.retryable) == ("InvalidParameters", False)
    assert "canary" not in outcome.message


async def test_sealed_field_is_opened_for_the_handler_only() -> None:
    sealed = SEALER.seal({"user": "u", "password": "canary"}, LOGIN.sensitive, "t-1")

    async def tells(params: Login, context: Context) -> Any:
        assert params.password == "canary"
        return {"login": f"{params.user}:{params.password}"}

    async def fails(params: Login, context: Context) -> None:
        raise ValueError(f"cannot log in with {params.password}")

    assert await call(tells, sealed, task_type=LOGIN) == Completed({"login": f"u:{REDACTED}"})
    assert await call(fails, sealed, task_type=LOGIN) == Failed(
        "ValueError", f"cannot log in with {REDACTED}", retryable=True
    )


async def test_sealed_for_another_task_does_not_open() -> None:
    async def handler(params: Login, context: Context) -> None:
        raise AssertionError("must not run")

    sealed = SEALER.seal({"user": "u", "password": "canary"}, LOGIN.sensitive, "t-2")
    outcome = await call(handler, sealed, task_type=LOGIN)
    assert isinstance(outcome, Failed)
    assert (outcome.error_type, outcome.retryable) == ("SealBroken", False)


async def test_handler_past_its_timeout_is_cancelled_and_its_slot_is_free() -> None:
    slots = Slots(1)
    cancelled = asyncio.Event()

    async def handler(params: Any, context: Context) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            return "late result that does not count"
        return "never"

    assert await call(handler, timeout=0.01, slots=slots, grace=30) == Failed(
        "Timeout", "the handler did not end within 0.01 s", retryable=True
    )
    assert cancelled.is_set()
    assert slots.taken == 0


async def test_handler_that_ignores_cancellation_keeps_its_slot_until_it_ends() -> None:
    slots, release = Slots(1), asyncio.Event()

    async def stubborn(params: Any, context: Context) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    try:
        outcome = await call(stubborn, timeout=0.01, slots=slots)
        assert isinstance(outcome, Failed)
        assert outcome.error_type == "Timeout"
        assert slots.taken == 1
    finally:
        release.set()  # or it would outlive the test
    async with asyncio.timeout(10):
        (await slots.take()).free()


async def test_cancelled_call_cancels_its_handler() -> None:
    slots, begun, ended = Slots(1), asyncio.Event(), asyncio.Event()

    async def handler(params: Any, context: Context) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    calling = asyncio.create_task(call(handler, slots=slots, grace=30))
    await begun.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert ended.is_set()
    assert slots.taken == 0
