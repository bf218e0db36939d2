"""`streamapp replay` and `streamapp verify`: their options. What they do is in `replaying`, imported when needed."""

from typing import Any

import click

from streamapp.cli.output import reported
from streamapp.replay.start import FORMS, Start, parse_start
from streamapp.settings import Role


class StartType(click.ParamType):
    """`earliest`, `offset:N` or `time:ISO`."""

    name = "start"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Start:
        """Read it, or say which option is wrong."""
        if isinstance(value, Start):
            return value
        try:
            return parse_start(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("role", type=click.Choice(["diary", "dispatch", "ingest", "all"]))
@click.option("--from", "start", type=StartType(), default="earliest", help=f"Set the group's offset to {FORMS}.")
@click.option("--wipe", is_flag=True, help="Delete the role's tables and changelogs: they are folded from the start.")
@click.option("--run", is_flag=True, help="Start the role, follow it, stop it, and write the replay certificate.")
@click.option("--dry-run", is_flag=True, help="Show what would happen, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before anything is deleted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@reported
def replay(role: Role, start: Start, wipe: bool, run: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Replay the log into the tables of ROLE. Publishes nothing, runs nothing.

    Every process of the role has to be stopped. Without --wipe the tables stay, and nothing is read again.
    """
    from streamapp.cli.replaying import Wishes, run_replay

    run_replay(role, Wishes(start, wipe, run, dry_run, yes, as_json))


@click.command()
@click.option("--url", "urls", multiple=True, help="Web server of a process; repeat it for roles that run apart.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@reported
def verify(urls: tuple[str, ...], as_json: bool) -> None:
    """Recompute the views from the topic and compare them with the live ones.

    Exit codes: 0 equal, 1 different, 2 something cannot be reached or was used wrongly.
    """
    from streamapp.cli.replaying import run_verify

    run_verify(urls, as_json=as_json)
