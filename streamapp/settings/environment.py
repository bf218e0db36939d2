"""Reads the environment: the only place that does. A name that no setting has is an error."""

import os
from collections.abc import Iterator
from typing import Any, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError

from streamapp.domain.errors import ConfigurationError
from streamapp.settings.groups import Group
from streamapp.settings.installation import PREFIX, Settings
from streamapp.wire import json

TEST_PREFIX = "STREAMAPP_TEST_"
"""Names of the test suite's own switches; they are not settings."""


def load() -> Settings:
    """The effective settings.

    Raises:
        ConfigurationError: an unknown name or an invalid value; the message names the variable and what to do.
    """
    # Names are matched without regard to case, as pydantic-settings reads them.
    ours = {name: name.upper() for name in os.environ if name.upper().startswith(PREFIX)}
    known = variables()
    unknown = sorted(name for name, upper in ours.items() if upper not in known and not upper.startswith(TEST_PREFIX))
    if unknown:
        raise ConfigurationError(
            f"unknown setting {', '.join(unknown)}: `streamapp config` lists every name; unset it or correct it"
        )
    try:
        return Settings()
    except (ValidationError, SettingsError) as error:
        raise ConfigurationError(f"invalid settings: {_reasons(error)}") from None


def _reasons(error: ValidationError | SettingsError) -> str:
    if isinstance(error, SettingsError):
        names = [name for name in os.environ if name.upper() in _json_variables() and not _is_json(os.environ[name])]
        return f"{', '.join(sorted(names)) or error}: lists and maps are written as JSON"
    details = error.errors(include_input=False, include_url=False)
    # What concerns several settings at once has no place of its own and names them in its message.
    return "; ".join(
        f"{variable(*detail['loc'])}: {detail['msg']}" if detail["loc"] else detail["msg"] for detail in details
    )


def _is_json(text: str) -> bool:
    try:
        json.parse(text.encode("utf-8", "surrogateescape"))
    except json.Malformed:
        return False
    return True


def _json_variables() -> set[str]:
    """The variables whose values are lists or maps."""
    found = set()
    for name, field in _fields():
        parts = (field.annotation, *get_args(field.annotation))
        if any(get_origin(part) in (list, dict) for part in parts):
            found.add(name)
    return found


def variable(*path: Any) -> str:
    """The environment variable of a setting: `variable("kafka", "request_timeout_seconds")`."""
    return PREFIX + "__".join(str(part).upper() for part in path[:2])


def variables() -> dict[str, str]:
    """Every variable there is, with its description. Maps (`…__ROUTES`) take one JSON object."""
    return {name: field.description or "" for name, field in _fields()}


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, Group):
            yield from ((variable(name, inner), inner_field) for inner, inner_field in group.model_fields.items())
        else:
            yield variable(name), field


def effective(settings: Settings) -> dict[str, Any]:
    """Every variable with its effective value; secrets are masked."""
    values: dict[str, Any] = {}
    for name, value in settings.model_dump(mode="json").items():
        if isinstance(value, dict):
            values.update({variable(name, inner): item for inner, item in value.items()})
        else:
            values[variable(name)] = value
    values[variable("kafka", "bootstrap_servers")] = settings.bootstrap_servers
    values[variable("api", "dashboard_origins")] = list(settings.dashboard_origins)
    values[variable("diary", "api_url")] = settings.api_url
    values[variable("rabbitmq", "url")] = _without_password(settings.rabbitmq_url)
    values[variable("redis", "url")] = _without_password(settings.redis_url)
    return values


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":**********@")).geturl()
