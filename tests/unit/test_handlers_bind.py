"""Binding handlers to types: what is right, and what is said at start where something is wrong."""

import asyncio
import contextvars
import functools
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from streamapp.domain.errors import ConfigurationError, PermanentFailure
from streamapp.handlers import Context, Environment, Handler, Handlers, handles, open_environment
from streamapp.handlers.digest import HANDLER as DEFAULT
from streamapp.tasktypes import Registry, TaskType
from tests.support.handlers import context, settings_with


class Params(BaseModel):
    count: int
    name: str = ""

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        if len(name) > 5:
            raise ValueError("too long")
        return name


FIRST = TaskType("FIRST", Params)
SECOND = TaskType("SECOND")
REGISTRY = Registry.of([FIRST, SECOND])


async def nothing(params: Any, context: Context) -> None:
    """Does nothing."""


def module(name: str = "a_module", **attributes: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(attributes)
    return made


def bind(*modules: ModuleType, registry: Registry = REGISTRY) -> Handlers:
    return Handlers.of(modules, registry, DEFAULT)


def test_marked_functions_are_found_and_others_are_not() -> None:
    @handles(FIRST)
    async def handler(params: Params, context: Context) -> None: ...

    handlers = bind(module(handler=handler, also_here=handler, nothing=nothing, number=1))
    bound = handlers.get("FIRST")
    assert bound == Handler(FIRST, handler, "a_module")
    assert handlers.get("SECOND") is None  # registered and not bound: the worker says so
    assert handlers.get("THIRD") is DEFAULT


def test_one_function_may_handle_two_types() -> None:
    @handles(FIRST)
    @handles(SECOND)
    async def handler(params: Any, context: Context) -> None: ...

    handlers = bind(module(handler=handler))
    assert {name: found.task_type for name, found in handlers.bound.items()} == {"FIRST": FIRST, "SECOND": SECOND}


def test_two_handlers_for_one_type_are_refused_by_name() -> None:
    @handles(FIRST)
    async def one(params: Any, context: Context) -> None: ...

    @handles(FIRST)
    async def other(params: Any, context: Context) -> None: ...

    with pytest.raises(ConfigurationError, match=r"'FIRST' has two handlers.*one.*other"):
        bind(module(one=one), module("b", other=other))


@pytest.mark.parametrize("registered", [[SECOND], [SECOND, TaskType("FIRST")]])
def test_a_handler_for_a_type_that_is_not_registered_is_refused(registered: list[TaskType]) -> None:
    @handles(FIRST)
    async def handler(params: Any, context: Context) -> None: ...

    with pytest.raises(ConfigurationError, match="STREAMAPP_TASKS__TYPES"):
        bind(module(handler=handler), registry=Registry.of(registered))


def too_few(params: Any) -> None: ...
def too_many(params: Any, context: Any, more: Any) -> None: ...
def keyword(params: Any, context: Any, *, more: Any) -> None: ...
def generator(params: Any, context: Any) -> Any:
    yield 1


async def async_generator(params: Any, context: Any) -> Any:
    yield 1


@pytest.mark.parametrize(
    "wrong", [too_few, too_many, keyword, generator, async_generator, functools.partial(too_many, 1), Params]
)
def test_what_cannot_be_a_handler_is_refused_where_it_is_marked(wrong: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError):
        handles(FIRST)(wrong)


@pytest.mark.parametrize("wrong", ["FIRST", nothing, None])
def test_the_mark_needs_a_type(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="TaskType"):
        handles(wrong)


@pytest.mark.parametrize("wrong", [nothing, async_generator, 5])
def test_a_lifespan_that_is_no_context_manager_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="asynccontextmanager"):
        bind(module(lifespan=wrong))


def test_parameters_are_the_model_or_a_permanent_failure_without_values() -> None:
    handler = Handler(FIRST, nothing)
    assert handler.parse({"count": 3}) == Params(count=3)
    with pytest.raises(PermanentFailure) as raised:
        handler.parse({"count": "s3cret", "name": "s3cret-s3cret"})
    assert raised.value.error_type == "InvalidParameters"
    assert "/count" in str(raised.value)
    assert "/name" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    with pytest.raises(PermanentFailure, match="object"):
        handler.parse(["count"])
    assert Handler(SECOND, nothing).parse({"anything": [1]}) == {"anything": [1]}


async def test_resources_are_opened_once_and_closed_in_reverse_order() -> None:
    told: list[str] = []

    def with_lifespan(name: str) -> ModuleType:
        @asynccontextmanager
        async def lifespan(environment: Environment) -> AsyncIterator[str]:
            told.append(f"open {name}")
            yield f"resource of {name}"
            told.append(f"close {name}")

        return module(name, lifespan=lifespan)

    @handles(FIRST)
    async def handler(params: Params, context: Context) -> Any:
        return context.resource

    @handles(SECOND)
    async def without(params: Any, context: Context) -> Any:
        return context.resource

    first = with_lifespan("first")
    vars(first)["handler"] = handler
    handlers = bind(first, with_lifespan("second"), module("third", without=without))
    async with open_environment(settings_with(), handlers) as environment:
        assert told == ["open first", "open second"]
        assert await handlers.bound["FIRST"](Params(count=1), context(environment)) == "resource of first"
        assert await handlers.bound["SECOND"]({}, context(environment)) is None
        assert not environment.http.closed
    assert told == ["open first", "open second", "close second", "close first"]
    assert environment.http.closed


async def test_a_lifespan_that_fails_is_named_and_the_others_are_closed() -> None:
    closed = []

    @asynccontextmanager
    async def good(environment: Environment) -> AsyncIterator[None]:
        yield
        closed.append("good")

    @asynccontextmanager
    async def bad(environment: Environment) -> AsyncIterator[None]:
        raise OSError("no such database")
        yield

    handlers = bind(module("a", lifespan=good), module("b", lifespan=bad))
    with pytest.raises(ConfigurationError, match=r"lifespan of b failed: OSError: no such database"):
        async with open_environment(settings_with(), handlers):
            raise AssertionError("opened")


async def test_plain_functions_run_in_threads_with_the_context_of_the_task() -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace")
    together = threading.Barrier(3)

    def plain(params: Any, context: Context) -> Any:
        together.wait(30)
        return [threading.current_thread() is threading.main_thread(), trace.get()]

    handler = Handler(None, plain)
    async with open_environment(settings_with(), bind()) as environment:
        trace.set("abc")
        results = await asyncio.gather(*(handler({}, context(environment)) for _ in range(3)))
    assert results == [[False, "abc"]] * 3


@pytest.mark.parametrize("error", [ValueError("no"), PermanentFailure("never"), StopIteration(1)])
async def test_what_a_plain_function_raises_comes_out(error: Exception) -> None:
    def plain(params: Any, context: Context) -> Any:
        raise error

    async with open_environment(settings_with(), bind()) as environment:
        with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
            await Handler(None, plain)({}, context(environment))


async def test_a_cancelled_plain_function_ends_when_its_thread_does(caplog: pytest.LogCaptureFixture) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def plain(params: Any, context: Context) -> Any:
        begun.set()
        go_on.wait(30)
        raise ValueError("too late to matter")

    async with open_environment(settings_with(), bind()) as environment:
        task = asyncio.create_task(Handler(None, plain)({}, context(environment)))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=0.1)
        assert not done
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
