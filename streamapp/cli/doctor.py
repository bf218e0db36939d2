"""`streamapp doctor`: do the books of diary, RabbitMQ and Redis agree right now? Asks, and changes nothing."""

import click
from rich.table import Table

from streamapp.cli import output
from streamapp.cli.examination import examine
from streamapp.cli.output import NOT_WELL, OK, emit, plain, reported, wait_for
from streamapp.doctor import Check, Verdict, healthy
from streamapp.doctor.verdicts import worst
from streamapp.settings import load

SHOWN = 20
"""Findings of a check printed for a person; `--json` has them all."""

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.UNKNOWN: "magenta", Verdict.WRONG: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@reported
def doctor(as_json: bool) -> None:
    """Compare what the diary, RabbitMQ and Redis say now, and name what does not fit.

    Takes some seconds, and changes nothing. Exit code 0 if all is well or only worth a warning; 1 if anything is wrong,
    or could not be judged because somebody did not answer; 2 if the settings are wrong.
    """
    checks = wait_for(examine(load()))
    if as_json:
        verdict = worst(check.verdict for check in checks)
        emit({"verdict": str(verdict), "healthy": healthy(checks), "checks": [check.document() for check in checks]})
    else:
        _print(checks)
    raise SystemExit(OK if healthy(checks) else NOT_WELL)


def _print(checks: list[Check]) -> None:
    table = Table("check", "verdict", "what was found", box=None, pad_edge=False)
    for check in checks:
        table.add_row(check.name, str(check.verdict), plain(check.says), style=STYLES[check.verdict])
    output.console.print(table)
    for check in checks:
        if check.findings or check.do:
            output.console.print(f"\n{check.name}, {check.verdict}: {check.do}", markup=False, soft_wrap=True)
        for finding in check.findings[:SHOWN]:
            output.console.print(f"  {finding}", markup=False, soft_wrap=True)
        if (rest := len(check.findings) - SHOWN) > 0:
            output.console.print(f"  and {rest} more: --json prints them all")
