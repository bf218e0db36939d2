"""What is measured beside poison: memory of a process, and how long good requests take meanwhile."""

import json
from pathlib import Path


def resident_mebibytes(pid: int) -> int:
    """Memory that a process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0]) // 1024
    raise AssertionError(f"process {pid} has no memory: it has ended")


def milliseconds(answers: Path, since: int, until: int, share: float) -> int:
    """How long at most the given share of the good requests took that began in a stretch of time."""
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    took: list[int] = sorted(line["ended"] - line["at"] for line in lines if since <= line["at"] < until)
    return took[min(int(len(took) * share), len(took) - 1)]
