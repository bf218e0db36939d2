"""How commands speak: readable text for people, one JSON document for programs, errors on standard error."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console, RenderableType
from rich.text import Text

from brokers import BrokerError
from streamapp.domain.errors import ConfigurationError, StreamappError, Unavailable

P = ParamSpec("P")
R = TypeVar("R")

OK, NOT_WELL, WRONG = 0, 1, 2

WIDE = 4_000
"""Columns of a table that goes into a file or another program: nothing is cut there."""

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_OUTSIDE_ASCII = r"\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_MOVES = re.compile(rf"[\x00-\x1f{_OUTSIDE_ASCII}]")
_MOVES_IN_JSON = re.compile(f"[{_OUTSIDE_ASCII}]")


def emit(document: Any) -> None:
    """Print one JSON document."""
    click.echo(_written(document, indent=2))


def emit_line(document: Any) -> None:
    """Print one JSON document in one line."""
    click.echo(_written(document, indent=None))


def say(message: str) -> None:
    """Tell a person what happens, on standard error, so that output can be piped."""
    errors.print(_lines(message), markup=False, soft_wrap=True)


def show(shown: RenderableType) -> None:
    """Print a table, or lines with tables: as wide as the terminal, and as wide as it is where there is none."""
    if console.is_terminal:
        console.print(shown)
    else:
        Console(file=console.file, width=WIDE, highlight=False).print(shown)


def fail(message: str, code: int) -> NoReturn:
    """End the command with an error."""
    errors.print(_lines(f"streamapp: {message}"), markup=False, soft_wrap=True)
    raise SystemExit(code)


def print_problem(problem: Any) -> None:
    """Say what an answer of the api or the diary says is wrong."""
    errors.print(_lines(f"{problem.get('title')}: {problem.get('detail')}"), markup=False, soft_wrap=True)
    for item in problem.get("errors", []):
        errors.print(_lines(f"  {item.get('pointer')}: {item.get('detail')}"), markup=False, soft_wrap=True)


def harmless(text: str) -> str:
    """A text of somebody else's for a terminal: what would move its cursor, or turn its writing round, as escapes.

    C0 and C1 control characters, line and paragraph separators, and the bidirectional controls of Unicode.
    """
    return _MOVES.sub(_escaped, text)


def plain(text: str) -> Text:
    """A text of somebody else's in a table: no markup of ours is looked for in it, and it moves nothing."""
    return Text(harmless(text))


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors with a meaning into one line and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ConfigurationError as error:
            fail(str(error), WRONG)
        except (Unavailable, BrokerError, StreamappError) as error:
            fail(str(error), NOT_WELL)

    return run


def wait_for(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end."""
    return asyncio.run(work)


def _lines(text: str) -> str:
    return "\n".join(map(harmless, text.split("\n")))


def _written(document: Any, indent: int | None) -> str:
    """JSON; what a terminal would obey is escaped in it, which means the same to whoever parses it."""
    return _MOVES_IN_JSON.sub(_escaped, json.dumps(document, ensure_ascii=False, indent=indent, default=str))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
