"""Figures of one run of the benchmark: medians with their spread, ratios to peers, one table, one file."""

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent / "results"


@dataclass
class Row:
    """One figure.

    Attributes:
        figure: what was measured, with its unit.
        who: streamapp, or a peer.
        profile: the durability the brokers ran in.
        values: one for each run.
        must: the ratio or bound of the issue, in words; empty for what is only told.
        beside: the peer's figure that `must` speaks of.
    """

    figure: str
    who: str
    profile: str
    values: list[float]
    must: str = ""
    beside: str = ""

    @property
    def median(self) -> float:
        """Of the runs."""
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        """The least and the most."""
        return f"{shown(min(self.values))}–{shown(max(self.values))}" if len(self.values) > 1 else ""


@dataclass
class Results:
    """All rows, in the order in which they were measured."""

    date: str
    settings: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, figure: str, who: str, profile: str, values: Sequence[float], must: str = "", beside: str = ""
    ) -> Row:
        """Add a figure, and say it at once."""
        row = Row(figure, who, profile, list(values), must, beside)
        self.rows.append(row)
        print(line(row, self.ratio(row)), flush=True)
        return row

    def ratio(self, row: Row) -> str:
        """Our median by the peer's, measured in the same run under the same profile."""
        for other in self.rows:
            if row.beside and (other.figure, other.who, other.profile) == (row.figure, row.beside, row.profile):
                return f"{row.median / other.median:.2f} × {row.beside}"
        return ""

    def table(self) -> str:
        """Everything."""
        head = f"{'figure':<58} {'who':<18} {'profile':<8} {'median':>10} {'spread':>19}  ratio and must"
        return "\n".join([head, "-" * len(head), *(line(row, self.ratio(row)) for row in self.rows)])

    def write(self) -> Path:
        """Write `results/<date>.json`."""
        HOME.mkdir(exist_ok=True)
        path = HOME / f"{self.date}.json"
        rows = [{**asdict(row), "median": row.median, "ratio": self.ratio(row)} for row in self.rows]
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        document = {"settings": {**machine, **self.settings}, "rows": rows, "details": self.details}
        path.write_text(json.dumps(document, indent=1) + "\n")
        return path


def shown(value: float) -> str:
    """A number with three digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line(row: Row, ratio: str) -> str:
    """A line of the table."""
    told = "; ".join(part for part in (ratio, row.must) if part)
    return f"{row.figure:<58} {row.who:<18} {row.profile:<8} {shown(row.median):>10} {row.spread:>19}  {told}"
