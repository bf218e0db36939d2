"""Rows of the report: one for the fault as a whole, and one for each of its families, with how many there were."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tests.faults import report
from tests.faults.arena import Arena, Incident


def count_families(ring: Arena, fault: str, families: Iterable[str] | Counter[str]) -> None:
    """Have the judge add a row for every family."""
    for family, number in sorted(Counter(families).items()):
        name = f"{fault}: {family}"
        ring.incidents[name] = Incident(name, number)


def measured(fault: str, figures: Mapping[str, int]) -> None:
    """Keep figures beside the rows of a fault."""
    report.add(report.Row(f"{fault}: figures", 0, 0, 0, 0, 0, 0, 0.0, dict(figures)))
