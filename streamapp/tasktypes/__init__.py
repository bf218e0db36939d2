"""Task types: name, parameter model, timeout, retry policy, sensitive fields. No handler code.

api, ingest and worker share the registry; handlers are bound to registered types in the worker only. Types of your own
come from modules with a sequence called TYPES, named in `STREAMAPP_TASKS__TYPES`.
"""

from streamapp.tasktypes.registry import Registry, TaskType

__all__ = ["Registry", "TaskType"]
