"""The guard's Lua scripts, as they lie in this folder: every decision of the guard is taken in one of them."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """Source and SHA-1 digest, which is the name Redis knows a loaded script by (EVALSHA)."""

    name: str
    source: str
    digest: str


@cache
def script(name: str) -> Script:
    """The script `name`, with what all scripts share before it."""
    return _named(name, _text("common") + _text(name))


@cache
def batched(single: Script) -> Script:
    """`single` for many calls at once: see `batch.lua`. One command then costs Redis and its client what many do."""
    return _named(single.name, f"local function decide(KEYS, ARGV)\n{single.source}\nend\n{_text('batch')}")


def _text(name: str) -> str:
    return (files(__name__) / f"{name}.lua").read_text("utf-8")


def _named(name: str, source: str) -> Script:
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


CLAIM = script("claim")
CONFIRM = script("confirm")
COMPLETE = script("complete")
ENDED = script("ended")
RELEASE = script("release")
RENEW = script("renew")
REGISTER = script("register")
ANNOUNCE = script("announce")
CLOSE = script("close")
REBUILD = script("rebuild")
OPEN = script("open")
