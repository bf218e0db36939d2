"""Whether this Redis may be trusted with claims: it must neither evict nor forget (`reliability`, decision 7)."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from streamapp.domain.errors import ConfigurationError, StreamappError
from streamapp.telemetry import describe, get_log

REQUIRED = {
    "maxmemory-policy": ("noeviction", "a full memory would make Redis forget claims instead of refusing new ones"),
    "appendonly": ("yes", "a restart of Redis would forget every claim since its last snapshot"),
}


class Hidden(StreamappError):
    """Redis does not show its settings: CONFIG is forbidden, or was renamed away."""


async def check_settings(redis: Redis) -> None:
    """Check the settings that claims depend on. Where CONFIG is forbidden, warn that nobody could look.

    Raises:
        ConfigurationError: a setting makes claims unsafe; names it and says what to do.
        RedisError, OSError: Redis does not answer.
    """
    try:
        faults = await faults_of(redis)
    except Hidden as error:
        names = ", ".join(f"{name} {value}" for name, (value, _) in REQUIRED.items())
        get_log(__name__).warning(
            f"Redis does not show its settings; make sure yourself that it runs with {names}", error=str(error)
        )
        return
    if faults:
        raise ConfigurationError(faults[0])


async def faults_of(redis: Redis) -> list[str]:
    """The settings that make claims unsafe, each with why and what to do.

    Raises:
        Hidden: Redis does not show its settings.
        RedisError, OSError: Redis does not answer.
    """
    try:
        shown: Any = await redis.config_get(*REQUIRED)
    except ResponseError as error:  # NOPERM, or the command was renamed away
        raise Hidden(describe(error)) from error
    settings = {_text(name): _text(value) for name, value in shown.items()}
    return [
        f"Redis runs with {name} {settings[name]}: {why}. "
        f"Set `{name} {wanted}` in redis.conf, or run `redis-cli config set {name} {wanted}`."
        for name, (wanted, why) in REQUIRED.items()
        if settings.get(name, wanted) != wanted
    ]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
