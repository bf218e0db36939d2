"""The registry of task types, and the policy and payload of a submission resolved against it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from streamapp.domain.errors import ConfigurationError
from streamapp.domain.facts import FieldError
from streamapp.domain.policy import Policy
from streamapp.wire import json
from streamapp.wire.sealing import Sealer
from streamapp.wire.submissions import Invalid, field_errors


@dataclass(frozen=True, slots=True)
class TaskType:
    """One kind of task. `sensitive` names top-level payload fields that must never be recorded in clear."""

    name: str
    model: type[BaseModel] | None = None
    policy: Policy | None = None
    sensitive: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """The types of this installation. `overrides` replaces single policy fields of a type by name."""

    types: Mapping[str, TaskType]
    default_policy: Policy = field(default_factory=Policy)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sealer: Sealer | None = None
    max_payload_bytes: int = 262_144

    @classmethod
    def of(cls, types: Iterable[TaskType], **rest: Any) -> "Registry":
        """A registry of `types`.

        Raises:
            ConfigurationError: a name used twice, an override of an unknown type, or sensitive fields without a key.
        """
        found: dict[str, TaskType] = {}
        for task_type in types:
            if task_type.name in found:
                raise ConfigurationError(f"task type {task_type.name!r} is registered twice: rename one of the two")
            found[task_type.name] = task_type
        registry = cls(found, **rest)
        for name in registry.overrides:
            if name not in found:
                raise ConfigurationError(f"STREAMAPP_TASKS__OVERRIDES names {name!r}, which is no registered task type")
        if registry.sealer is None:
            for task_type in found.values():
                if task_type.sensitive:
                    raise ConfigurationError(
                        f"task type {task_type.name!r} has sensitive fields: set STREAMAPP_TASKS__SEALING_KEY"
                    )
        return registry

    def policy_of(self, type: str) -> Policy:
        """The policy that a task of `type` accepted now gets."""
        task_type = self.types.get(type)
        policy = (task_type.policy if task_type else None) or self.default_policy
        changes = self.overrides.get(type)
        return msgspec.structs.replace(policy, **changes) if changes else policy

    def check(self, task_id: str, type: str, payload: dict[str, Any]) -> dict[str, Any]:
        """`payload` as it may be recorded: checked against the type's model, sensitive fields sealed.

        Raises:
            Invalid: too large, or not what the type's model asks for; pointers are below `/payload`.
        """
        size = len(json.dump(payload))
        if size > self.max_payload_bytes:
            error = FieldError("/payload", f"{size} bytes; at most {self.max_payload_bytes} are allowed")
            raise Invalid([error], task_id=task_id, type=type)
        task_type = self.types.get(type)
        if task_type is None:
            return payload
        if task_type.model is not None:
            try:
                task_type.model.model_validate(payload)
            except ValidationError as error:
                raise Invalid(field_errors(error, below="/payload"), task_id=task_id, type=type) from None
        if task_type.sensitive and self.sealer is not None:
            return self.sealer.seal(payload, task_type.sensitive, task_id)
        return payload
