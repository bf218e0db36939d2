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
    folder = files(__name__)
    source = (folder / "common.lua").read_text("utf-8") + (folder / f"{name}.lua").read_text("utf-8")
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
