"""How commands speak: readable text for people, one JSON document for programs, errors on standard error."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.text import Text

from brokers import BrokerError
from streamapp.domain.errors import ConfigurationError, StreamappError, Unavailable

P = ParamSpec("P")
R = TypeVar("R")

OK, NOT_WELL, WRONG = 0, 1, 2

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def emit(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def say(message: str) -> None:
    """Tell a person what happens, on standard error, so that output can be piped."""
    errors.print(message, markup=False)


def fail(message: str, code: int) -> NoReturn:
    """End the command with an error."""
    errors.print(f"streamapp: {message}", markup=False, soft_wrap=True)
    raise SystemExit(code)


def print_problem(problem: Any) -> None:
    """Say what an answer of the api or the diary says is wrong."""
    errors.print(f"{problem.get('title')}: {problem.get('detail')}", markup=False)
    for item in problem.get("errors", []):
        errors.print(f"  {item.get('pointer')}: {item.get('detail')}", markup=False)


def plain(text: str) -> Text:
    """A text of somebody else's in a table: no markup of ours is looked for in it."""
    return Text(text)


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
