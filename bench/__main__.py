"""`python -m bench [--only NAME …] [--runs N] [--tasks N] [--facts N]`: measure, print one table, write one file."""

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import cast

from bench import figures
from bench.figures import Plan
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
    parser.add_argument("--runs", type=int, default=3, help="runs of each figure; the median is told")
    parser.add_argument("--tasks", type=int, default=20_000, help="tasks end to end")
    parser.add_argument("--facts", type=int, default=1_000_000, help="facts of a rebuild")
    parser.add_argument("--without-peers", action="store_true", help="measure streamapp alone")
    parser.add_argument("--profile", action="append", choices=["fast", "durable"], help="default: both")
    asked = parser.parse_args()
    profiles = cast("list[Profile]", asked.profile or ["fast", "durable"])
    plan = Plan(asked.runs, asked.tasks, asked.facts, not asked.without_peers, profiles)
    results = Results(time.strftime("%Y-%m-%d"), {"runs": asked.runs, "tasks": asked.tasks, "facts": asked.facts})
    try:
        for name in asked.only or FIGURES:
            asyncio.run(FIGURES[name](plan, results))
    finally:
        print(f"\n{results.table()}\n\n{results.write()}", flush=True)


if __name__ == "__main__":
    main()
