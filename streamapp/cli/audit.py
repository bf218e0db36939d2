"""`streamapp audit`: judges the whole diary, with whatever evidence was collected outside the system."""

from pathlib import Path

import click
from rich.table import Table

from streamapp.audit import Evidence, Line, Report, read_folder
from streamapp.audit import audit as judge
from streamapp.audit.report import RULES
from streamapp.cli import output
from streamapp.cli.output import NOT_WELL, OK, emit, reported, wait_for
from streamapp.settings import load
from streamapp.stream.history import read

SHOWN = 50
"""Findings printed for a person; `--json` has them all."""


@click.command()
@click.option(
    "--evidence",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with answers.jsonl, effects.jsonl, shadow.jsonl, wire.jsonl, incidents.jsonl or polls.jsonl.",
)
@click.option("--drained", is_flag=True, help="Everything has had the time to end: an open task is a finding.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@reported
def audit(evidence: Path | None, drained: bool, as_json: bool) -> None:
    """Judge the history: every promise that the diary alone, or with EVIDENCE, can prove or disprove.

    Exit code 1 if anything is found that should not be.
    """
    settings = load()
    log = wait_for(_log(settings.bootstrap_servers, settings.names.lifecycle_topic))
    report = judge(read_folder(evidence, log, drained=drained) if evidence else Evidence(log, drained=drained))
    if as_json:
        emit(report.document())
    else:
        _print(report)
    raise SystemExit(NOT_WELL if report.findings else OK)


async def _log(servers: str, topic: str) -> list[Line]:
    return [
        Line(batch.partition, record.offset, record.at, record.key, record.value)
        async for batch in read(servers, topic)
        for record in batch.records
    ]


def _print(report: Report) -> None:
    table = Table("rule", "judged", "findings", "promise", box=None, pad_edge=False)
    for rule in RULES:
        verdict = report.verdicts[rule.name]
        judged = "not judged" if verdict is None else f"{verdict.judged}"
        found = "" if verdict is None else f"{len(verdict.findings)}"
        table.add_row(rule.name, judged, found, " ".join(rule.says.split()))
    output.console.print(table)
    output.console.print(f"{report.tasks} tasks, {report.facts} facts")
    for name, number in report.counts.items():
        output.console.print(f"{name}: {number}")
    for finding in report.findings[:SHOWN]:
        output.console.print(str(finding), markup=False, soft_wrap=True)
    if (rest := len(report.findings) - SHOWN) > 0:
        output.console.print(f"and {rest} more: --json prints them all")
