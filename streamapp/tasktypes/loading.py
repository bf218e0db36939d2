"""Modules of the user's own: the only place that imports by name. Names come from settings, never from the wire."""

from collections.abc import Iterable, Sequence
from importlib import import_module  # the one place: see ruff's TID251 in pyproject.toml
from types import ModuleType

from streamapp.domain.errors import ConfigurationError
from streamapp.tasktypes.registry import TaskType


def load_modules(names: Iterable[str], setting: str) -> list[ModuleType]:
    """Import `names`, as the setting `setting` gives them.

    Raises:
        ConfigurationError: a module that cannot be imported; the message names the setting and the cause.
    """
    modules = []
    for name in names:
        try:
            modules.append(import_module(name))
        except Exception as error:
            raise ConfigurationError(f"{setting}: cannot import {name!r}: {type(error).__name__}: {error}") from error
    return modules


def load_types(names: Iterable[str], setting: str) -> list[TaskType]:
    """The TYPES of each module.

    Raises:
        ConfigurationError: a module that cannot be imported or has no TYPES of the right kind.
    """
    types: list[TaskType] = []
    for module in load_modules(names, setting):
        found = getattr(module, "TYPES", None)
        if not isinstance(found, Sequence) or not all(isinstance(item, TaskType) for item in found):
            raise ConfigurationError(f"{setting}: {module.__name__} needs TYPES, a tuple or list of TaskType")
        types.extend(found)
    return types
