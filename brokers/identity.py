"""Which process is which: pid, start time and boot together name one process for ever. Reads /proc only."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

# Processes this interpreter is the parent of: it has to collect their exit, or they stay as zombies.
children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Identity:
    """What tells one process from every other, also after its pid was given to another one.

    Attributes:
        pid: process id.
        started: start time in clock ticks since boot, field 22 of /proc/<pid>/stat (proc(5)).
        boot: the kernel's random id of this boot.
    """

    pid: int
    started: int
    boot: str


def identify(pid: int) -> Identity | None:
    """The identity of whatever runs under a pid now; None if nothing does any more.

    A process whose first thread has died already counts until the last one has: so long it holds its ports.
    """
    fields = _stat(f"/proc/{pid}/stat")
    if fields is None or (fields[0] in "ZX" and not _has_living_thread(pid)):
        return None
    return Identity(pid, int(fields[19]), Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process still lives. A dead child of this interpreter is collected."""
    child = children.get(identity.pid)
    if child is not None:
        if child.poll() is None:
            # Not collected yet: it may look dead in /proc while its last threads still hold its ports.
            fields = _stat(f"/proc/{identity.pid}/stat")
            return fields is not None and int(fields[19]) == identity.started
        children.pop(identity.pid, None)
    return identify(identity.pid) == identity


def descendants(pid: int) -> tuple[Identity, ...]:
    """The living children of a process, their children, and so on."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(f"/proc/{entry.name}/stat")
            if fields is not None:
                parents[int(entry.name)] = int(fields[1])
    family: list[Identity] = []
    generation = {pid}
    while generation:
        generation = {child for child, parent in parents.items() if parent in generation}
        family.extend(identity for child in sorted(generation) if (identity := identify(child)) is not None)
    return tuple(family)


def _has_living_thread(pid: int) -> bool:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return True  # it is vanishing under our eyes; the next look will tell
    states = [fields[0] for thread in threads if (fields := _stat(f"{thread}/stat")) is not None]
    return any(state not in "ZX" for state in states)


def _stat(file: str) -> list[str] | None:
    """The fields of a stat file from the third (state) on; the second may contain anything, in brackets."""
    try:
        return Path(file).read_text().rpartition(")")[2].split()
    except OSError:
        return None
