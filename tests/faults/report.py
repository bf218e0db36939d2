"""The report of the fault suite: a row for every incident, kept in a file, so that runs add up.

`python -m tests.faults.report` prints what all runs so far have added up to. `FAULTS_REPORT` names another file.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = Path(os.environ.get("FAULTS_REPORT", Path(__file__).parents[2] / ".streamapp" / "faults.jsonl"))


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one run of a fault.

    Attributes:
        injected: how often the fault was injected.
        under_way: tasks that were open at the injections, summed up.
        tasks: tasks that clients were told are accepted.
        lost: of those, the ones without a terminal fact in the end.
        unexplained: findings of the audit.
        duplicates: jobs published more than once, every one of them suppressed or explained by the history.
        recovery_seconds: from the end of the fault until everything had ended and the load was keeping up.
    """

    fault: str
    injected: int
    under_way: int
    tasks: int
    lost: int
    unexplained: int
    duplicates: int
    recovery_seconds: float
    details: dict[str, int] = field(default_factory=dict)


added: list[Row] = []
"""The rows of this run."""


def add(row: Row) -> None:
    """Keep a row."""
    added.append(row)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(asdict(row)) + "\n")


def rows() -> list[Row]:
    """Every row of every run so far."""
    return [Row(**json.loads(line)) for line in FILE.read_text().splitlines()] if FILE.exists() else []


def table(found: Iterable[Row]) -> str:
    """The rows as text, those of one fault added up."""
    sums: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        sums[row.fault].append(row)
    heads = ("fault", "runs", "injected", "under way", "tasks", "lost", "unexplained", "duplicates", "recovery")
    lines = [heads, *(_line(fault, group) for fault, group in sorted(sums.items()))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _line(fault: str, group: list[Row]) -> tuple[str, ...]:
    numbers = [
        sum(getattr(row, name) for row in group)
        for name in ("injected", "under_way", "tasks", "lost", "unexplained", "duplicates")
    ]
    slowest = max(row.recovery_seconds for row in group)
    return (fault, str(len(group)), *(str(number) for number in numbers), f"{slowest:.1f} s")


def kills(found: Iterable[Row]) -> int:
    """How many times a process was killed."""
    return sum(row.injected for row in found if row.fault.startswith("SIGKILL of "))


if __name__ == "__main__":
    everything = rows()
    print(table(everything))
    print(f"\n{kills(everything)} processes killed, {sum(row.lost for row in everything)} tasks lost")
