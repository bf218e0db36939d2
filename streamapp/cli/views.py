"""Asks the views of the diary.

In: paths and parameters. Out: views as they were answered, a list of several pages as one, and an error with the
diary's own words where it had nothing else to answer. Never asks anybody but the diary.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

import click

from streamapp.cli import client
from streamapp.cli.output import NOT_WELL, OK, WRONG, emit, print_problem, reported
from streamapp.domain.errors import Unavailable
from streamapp.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
View: TypeAlias = dict[str, Any]
Parameters: TypeAlias = list[tuple[str, str]]

PAGE = 500
"""The longest page that the diary makes."""

NEVER_RIGHT = (400, 422)
"""Answers to a question that is wrong however often it is asked."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")


class Refused(Exception):
    """The diary has answered with a problem."""

    def __init__(self, status: int, problem: View) -> None:
        super().__init__(f"{problem.get('title')}: {problem.get('detail')}")
        self.status = status
        self.problem = problem


def answered(command: Callable[P, R]) -> Callable[P, R]:
    """Like `reported`; a problem of the diary is printed, as a document with `--json`. Exit code 2 if the question was
    wrong, else 1.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return reported(command)(*args, **kwargs)
        except Refused as refused:
            if kwargs.get("as_json") or kwargs.get("form") == "json":
                emit(refused.problem)
            else:
                print_problem(refused.problem)
            raise SystemExit(WRONG if refused.status in NEVER_RIGHT else NOT_WELL) from refused

    return run


async def ask(
    settings: Settings, path: str, parameters: Iterable[tuple[str, str]] = (), seconds: float = client.SECONDS
) -> View:
    """A view.

    Raises:
        Refused: the diary answers with a problem.
        Unavailable: it does not answer within `seconds`.
    """
    status, answer = await client.ask_diary(settings, path, parameters, seconds=seconds)
    if not isinstance(answer, dict):
        raise Unavailable(f"{client.diary_url(settings, path)} answers with something that is no view")
    if status != 200:
        raise Refused(status, answer)
    return answer


async def pages(settings: Settings, path: str, parameters: Parameters, wanted: int, cursor: str | None) -> View:
    """A list of tasks from `cursor` on, at most `wanted` of them, as if it were one page.

    What any page says of its freshness holds for the whole.
    """
    whole: View = {"tasks": [], "next": cursor, "complete": True, "missingPartitions": [], "stale": False, "asOf": None}
    while True:
        left = wanted - len(whole["tasks"])
        behind = [] if whole["next"] is None else [("cursor", whole["next"])]
        page = await ask(settings, path, [*parameters, ("limit", str(min(left, PAGE))), *behind])
        whole = {
            "tasks": whole["tasks"] + page["tasks"],
            "next": page["next"],
            "complete": whole["complete"] and page["complete"],
            "missingPartitions": sorted({*whole["missingPartitions"], *page["missingPartitions"]}),
            "stale": whole["stale"] or page["stale"],
            "asOf": min(filter(None, (whole["asOf"], page["asOf"])), default=None),
        }
        if whole["next"] is None or len(whole["tasks"]) >= wanted:
            return whole


def whole(view: View) -> int:
    """Exit code of a command that shows a view over all tasks: 1 if it is stale, or says nothing of some partitions."""
    return NOT_WELL if view["stale"] or view["missingPartitions"] else OK
