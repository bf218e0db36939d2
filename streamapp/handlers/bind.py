"""Binds handlers to registered task types.

In: modules with functions marked by `@handles`. Out: one handler for a type, or a ConfigurationError at start that says
which function is wrong and how. Never runs a handler by itself.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

from streamapp.domain.errors import ConfigurationError
from streamapp.handlers.context import Environment
from streamapp.handlers.handler import Function, Handler
from streamapp.tasktypes import Registry, TaskType

Lifespan: TypeAlias = Callable[[Environment], AbstractAsyncContextManager[Any]]
F = TypeVar("F", bound=Function)

_MARK = "__streamapp_handles__"


def handles(task_type: TaskType) -> Callable[[F], F]:
    """Mark a function as the handler of `task_type`.

    The function takes the parameters (the type's model, or a dict where it has none) and a Context, and returns a JSON
    value. `async def` runs on the event loop; a plain `def` runs in a thread, where no timeout can interrupt it.

    Raises:
        ConfigurationError: `task_type` is no TaskType, or the function cannot be called with two arguments.
    """
    if not isinstance(task_type, TaskType):
        raise ConfigurationError(f"@handles needs a TaskType, not {type(task_type).__name__}: @handles(YOUR_TYPE)")

    def mark(function: F) -> F:
        _check_signature(function)
        setattr(function, _MARK, (*getattr(function, _MARK, ()), task_type))
        return function

    return mark


@dataclass(frozen=True)
class Handlers:
    """The handlers of a worker. `default` takes every type that nobody has registered."""

    bound: Mapping[str, Handler]
    registered: frozenset[str]
    default: Handler
    lifespans: Mapping[str, Lifespan] = field(default_factory=dict)

    @classmethod
    def of(cls, modules: Iterable[ModuleType], registry: Registry, default: Handler) -> "Handlers":
        """The marked functions of `modules`.

        Raises:
            ConfigurationError: two handlers for one type, a handler for a type that is not registered, or a `lifespan`
                that is no function.
        """
        bound: dict[str, Handler] = {}
        lifespans: dict[str, Lifespan] = {}
        for module in modules:
            for function in vars(module).values():
                for task_type in getattr(function, _MARK, ()) if inspect.isfunction(function) else ():
                    _bind(bound, task_type, Handler(task_type, function, module.__name__), registry)
            if hasattr(module, "lifespan"):
                lifespans[module.__name__] = _lifespan(module)
        return cls(bound, frozenset(registry.types), default, lifespans)

    def get(self, type: str) -> Handler | None:
        """The handler of a type; the default one if the type is unregistered; None if it is registered but unbound."""
        return self.bound.get(type) or (None if type in self.registered else self.default)


def _check_signature(function: Any) -> None:
    name = getattr(function, "__qualname__", repr(function))
    if not inspect.isfunction(function):
        raise ConfigurationError(f"@handles marks functions, and {name} is none")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"handler {name} must return its result, not yield it")
    try:
        inspect.signature(function).bind(object(), object())
    except TypeError:
        raise ConfigurationError(
            f"handler {name} must take two arguments, (params, context), not {inspect.signature(function)}"
        ) from None


def _bind(bound: dict[str, Handler], task_type: TaskType, handler: Handler, registry: Registry) -> None:
    name = task_type.name
    if registry.types.get(name) != task_type:
        known = "another type has that name" if name in registry.types else "no such type is registered"
        raise ConfigurationError(
            f"{handler.name} handles {name!r}, but {known}: name the module whose TYPES has it in "
            "STREAMAPP_TASKS__TYPES"
        )
    other = bound.setdefault(name, handler)
    if other.function is not handler.function:
        raise ConfigurationError(f"task type {name!r} has two handlers, {other.name} and {handler.name}: remove one")


def _lifespan(module: ModuleType) -> Lifespan:
    lifespan: Lifespan = module.lifespan
    if not callable(lifespan) or inspect.isasyncgenfunction(lifespan) or inspect.iscoroutinefunction(lifespan):
        raise ConfigurationError(f"{module.__name__}.lifespan must be marked with @contextlib.asynccontextmanager")
    return lifespan
