"""What processes have used so far: CPU seconds (user and system, ended children included) and the largest memory."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_seconds` since the process began; `peak_mib` is the largest resident size."""

    cpu_seconds: float
    peak_mib: float


def of(pid: int) -> Usage:
    """One process. Raises ProcessLookupError if it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(fields[index]) for index in range(11, 15))
    status = Path(f"/proc/{pid}/status").read_text()
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
    if line is None:
        raise ProcessLookupError(f"process {pid} has ended")
    return Usage(ticks / TICKS, int(line.split()[1]) / 1024)


def cpu_seconds(pids: Iterable[int]) -> float:
    """All of them together."""
    return sum(of(pid).cpu_seconds for pid in pids)
