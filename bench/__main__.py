"""`python -m bench [--only NAME …] [--everything]`: measure, print one table, write one file."""

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, replace
from typing import cast

from bench import figures
from bench.figures import EVERYTHING, Plan
from bench.results import Results
from brokers import Profile

FIGURES: Mapping[str, Callable[[Plan, Results], Coroutine[None, None, None]]] = {
    "end-to-end": figures.end_to_end,
    "latency": figures.latency,
    "api": figures.api,
    "rebuild": figures.rebuild,
    "scale": figures.scale,
}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(FIGURES), help="these figures and no others")
    parser.add_argument("--everything", action="store_true", help="full sizes and every row, which takes an hour")
    parser.add_argument("--runs", type=int, help="runs of each figure; the median is told")
    parser.add_argument("--tasks", type=int, help="tasks end to end, where a must stands")
    parser.add_argument("--few", type=int, help="tasks of every other row")
    parser.add_argument("--facts", type=int, help="facts of a rebuild")
    parser.add_argument("--without-peers", action="store_true", help="measure streamapp alone")
    parser.add_argument("--profile", action="append", choices=["fast", "durable"], help="default: both")
    asked = parser.parse_args()
    sizes = {name: value for name in ("runs", "tasks", "few", "facts") if (value := getattr(asked, name)) is not None}
    plan = replace(EVERYTHING if asked.everything else Plan(), peers=not asked.without_peers, **sizes)
    if asked.profile:
        plan = replace(plan, profiles=tuple(cast("list[Profile]", asked.profile)))
    results = Results(time.strftime("%Y-%m-%d"), asdict(plan))
    try:
        for name in asked.only or FIGURES:
            asyncio.run(FIGURES[name](plan, results))
    finally:
        print(f"\n{results.table()}\n\n{results.write()}", flush=True)


if __name__ == "__main__":
    main()
