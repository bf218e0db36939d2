"""Presents a view: once, as text or as a document, or again and again until somebody has seen enough.

In: how to ask, how to draw, how well an answer is. Out: text on the terminal and an exit code.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, Protocol

import click
from rich.console import Group, RenderableType
from rich.segment import Segment, SegmentLines

from streamapp.cli import output
from streamapp.cli.output import OK, emit
from streamapp.cli.views import Refused, View
from streamapp.domain.errors import Unavailable

if TYPE_CHECKING:
    from rich.live import Live

EVERY_SECONDS = 2.0
END_LINES = 6
"""Of what a terminal has no room for these last lines are shown in any case."""

watch_option = click.option("--watch", is_flag=True, help="Show it again every 2 seconds, until Ctrl-C.")


class Picture(Protocol):
    """Something that shows the latest state."""

    def update(self, renderable: RenderableType, /, *, refresh: bool = False) -> None:
        """Show this from now on."""


class Screen:
    """The terminal, as long as it is watched. Of what is too long the end is kept: it says what is not known."""

    def __init__(self, live: "Live") -> None:
        self._live = live

    def update(self, renderable: RenderableType, /, *, refresh: bool = False) -> None:
        """Show it instead of what was there."""
        lines = output.console.render_lines(renderable, pad=False)
        if (surplus := len(lines) - output.console.height) > 0:
            behind = len(lines) - END_LINES
            notice = [Segment(f"… {surplus + 1} lines have no room here")]
            lines = [*lines[: behind - surplus - 1], notice, *lines[behind:]]
        self._live.update(SegmentLines(lines, new_lines=True), refresh=refresh)


class Printed:
    """What stands for a screen where output goes into a file or another program: one text behind the other."""

    def update(self, renderable: RenderableType, /, *, refresh: bool = False) -> None:
        """Print it."""
        output.show(renderable)
        output.console.print()


def present(
    look: Callable[[], View],
    draw: Callable[[View], RenderableType],
    verdict: Callable[[View], int],
    *,
    as_json: bool,
    watch: bool = False,
) -> NoReturn:
    """Show what `look` brings and end with the exit code that `verdict` gives it.

    Raises:
        UsageError: a document that never ends was asked for.
    """
    if watch and as_json:
        raise click.UsageError("--watch is for people and --json for programs: give one of them")
    view = look()
    if watch:
        _follow(look, draw, view)
    elif as_json:
        emit(view)
    else:
        output.show(draw(view))
    raise SystemExit(OK if watch else verdict(view))


def _follow(look: Callable[[], View], draw: Callable[[View], RenderableType], view: View) -> None:
    """Draw again and again; the last answer stands, and says so, while the diary gives none."""
    try:
        if not output.console.is_terminal:
            _refresh(Printed(), look, draw, view)
        from rich.live import Live  # only who watches on a terminal needs it

        with Live(console=output.console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            _refresh(Screen(live), look, draw, view)
    except KeyboardInterrupt:
        return


def _refresh(
    picture: Picture, look: Callable[[], View], draw: Callable[[View], RenderableType], view: View
) -> NoReturn:
    trouble: list[RenderableType] = []
    while True:
        picture.update(Group(draw(view), *trouble), refresh=True)
        time.sleep(EVERY_SECONDS)
        try:
            view, trouble = look(), []
        except (Refused, Unavailable) as error:
            trouble = [output.plain(f"this is old, the diary gives no answer: {error}")]
