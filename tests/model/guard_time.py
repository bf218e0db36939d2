"""Fake time for the guard's real scripts, and small errors in them.

In: a script as the product ships it. Out: the same text behind a few lines of Lua that answer TIME from a key and note
down PEXPIRE instead of obeying it; `TimeKeeper` moves that key and takes away what has expired by it.

Why not redis-server under libfaketime: it is one more thing to install, it steps a clock that Redis also uses for its
own cron and caches between commands, and every step would have to wait until the server has seen it. A key is exact,
changes in one round trip together with the expiries that follow from it, and the script bodies, common.lua included,
run unchanged; what is replaced is two answers of the server. That the server's own TIME and PEXPIRE do what the scripts
expect of them is seen by tests/integration/test_guard.py.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from streamapp.guard.scripts import Script

CLOCK = "model-clock"
EXPIRIES = "model-expiries"

_SHIM = f"""
local server = redis
local redis = {{}}
function redis.call(command, ...)
  local key, milliseconds = ...
  if command == 'TIME' then
    local now = tonumber(server.call('GET', '{CLOCK}'))
    return {{string.format('%d', math.floor(now / 1000)), string.format('%d', now % 1000 * 1000)}}
  end
  if command == 'PEXPIRE' then
    local now = tonumber(server.call('GET', '{CLOCK}'))
    return server.call('ZADD', '{EXPIRIES}', string.format('%d', now + tonumber(milliseconds)), key)
  end
  if command == 'DEL' then
    server.call('ZREM', '{EXPIRIES}', key)
  end
  return server.call(command, ...)
end
"""

_MOVE = f"""
redis.call('SET', '{CLOCK}', ARGV[1])
local gone = redis.call('ZRANGEBYSCORE', '{EXPIRIES}', '-inf', '(' .. ARGV[1])
for _, key in ipairs(gone) do
  redis.call('DEL', key)
  redis.call('ZREM', '{EXPIRIES}', key)
end
return gone
"""


@dataclass(frozen=True, slots=True)
class Error:
    """One place of one script reads otherwise. `script` is "common" for what all of them share."""

    script: str
    right: str
    wrong: str


class ScriptBook:
    """Gives each script of the product behind fake time, with `errors` in it."""

    def __init__(self, errors: Sequence[Error] = ()) -> None:
        self._errors = errors
        self._known: dict[str, Script] = {}

    def __call__(self, script: Script) -> Script:
        if script.name not in self._known:
            source = script.source
            for error in self._errors:
                if error.script in (script.name, "common"):
                    if source.count(error.right) != 1:
                        raise ValueError(f"the script {script.name} has {error.right!r} not exactly once")
                    source = source.replace(error.right, error.wrong)
            source = _SHIM + source
            digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
            self._known[script.name] = Script(script.name, source, digest)
        return self._known[script.name]


class TimeKeeper:
    """What time it is: Redis's wall clock, which may be stepped, and the workers' monotonic one, which may not."""

    def __init__(self, redis: "Redis", start_ms: int) -> None:
        self._redis: Any = redis
        self._move = redis.register_script(_MOVE)
        self._passed_ms = 0
        self.wall_ms = start_ms

    def now_ms(self) -> int:
        """Redis's wall clock, and everybody's."""
        return self.wall_ms

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._passed_ms / 1000

    async def sleep(self, seconds: float) -> None:
        """Nobody sleeps in the model: the rules let time pass."""
        raise RuntimeError(f"somebody sleeps {seconds} s")

    def pass_by(self, milliseconds: int) -> list[str]:
        """Time passes. Answers the keys that expired."""
        self._passed_ms += milliseconds
        return self.step(milliseconds)

    def step(self, milliseconds: int) -> list[str]:
        """The wall clock moves, by itself or by somebody's hand. Answers the keys that expired."""
        self.wall_ms += milliseconds
        return [key.decode() for key in self._move(args=[self.wall_ms])]
