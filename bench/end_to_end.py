"""End to end: from the first accepted fact of N no-op tasks to the last completed one, every role on the same cores."""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Literal

from bench import usage
from bench.diary import read, until_completed
from bench.stand import Stand
from streamapp.wire.names import Names
from tests.support.stack import PARTITIONS, PROJECT

Road = Literal["preloaded", "events", "posts", "batches"]
LIMIT_SECONDS = 240.0
SETTLE_SECONDS = 1.0
WARM_TASKS = 100
"""Run before anything is measured, as with the peers; what is preloaded cannot wait for them."""

PREFETCH = 250
"""Jobs that do nothing are over before the next one has come: the default is made for jobs that take time."""


@dataclass(frozen=True)
class Measured:
    """`cpu` is CPU seconds per 1,000 tasks by process, `peak_mib` the largest memory by process.

    The process that feeds is counted, as the producer of a peer is.
    """

    tasks_per_second: float
    cpu: dict[str, float]
    peak_mib: dict[str, float]
    feed: dict[str, float] = field(default_factory=dict)

    @property
    def cpu_seconds_per_1000(self) -> float:
        """All processes together, but for the brokers."""
        return sum(self.cpu.values())


async def feed(stand: Stand, road: Road, prefix: str, tasks: int, per_second: float = 0) -> dict[str, float]:
    """Feed tasks from a process of its own. Raises RuntimeError if it failed."""
    names: Names = stand.made.names
    kind = "events" if road == "preloaded" else road
    to = stand.endpoints.kafka if kind == "events" else next(p.url for p in stand.made.processes if p.name == "api")
    arguments = [kind, "--to", to, "--topic", names.events_topic, "--prefix", prefix, "--count", str(tasks)]
    command = [sys.executable, "-m", "bench.feed", *arguments, "--per-second", str(per_second)]
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the feed ended with {process.returncode}")
    told: dict[str, float] = json.loads(out)
    return told


async def measure(
    stand: Stand, road: Road, tasks: int, concurrency: int, workers: int = 1, diaries: int | None = None
) -> Measured:
    """Run `tasks` tasks on a fresh installation.

    Its streams are one process with every Faust role, as `faust -A streamapp worker` starts it; if it says how many
    `diaries`, each role is a process of its own.
    """
    told = await feed(stand, road, "b", tasks) if road == "preloaded" else {}
    slots = {"WORKER__CONCURRENCY": str(concurrency), "WORKER__PREFETCH": str(PREFETCH // workers)}
    started = [stand.made.start("worker", f"worker{number}", **slots) for number in range(workers)]
    if diaries is None:
        views = [stand.made.start("all")]
    else:
        views = [stand.made.start("diary", f"diary{number}") for number in range(diaries)]
        started += [stand.made.start("dispatch"), stand.made.start("ingest")]
    started += views
    if road in ("posts", "batches"):
        started.append(stand.made.start("api"))
    await stand.ready(started)
    await asyncio.sleep(SETTLE_SECONDS)
    warm = 0 if road == "preloaded" else WARM_TASKS
    if warm:
        await feed(stand, road, "warm", warm)
        await until_completed(views[0].url, warm, LIMIT_SECONDS)
    before = {process.name: usage.of(process.process.pid).cpu_seconds for process in started}
    feeding = asyncio.create_task(feed(stand, road, "b", tasks)) if road != "preloaded" else None
    await until_completed(views[0].url, warm + tasks, LIMIT_SECONDS)
    told = await feeding if feeding else told
    after = {process.name: usage.of(process.process.pid) for process in started}
    seen = await read(stand.endpoints.kafka, stand.made.names.lifecycle_topic, PARTITIONS, "b")
    cpu = {name: (used.cpu_seconds - before[name]) * 1000 / tasks for name, used in after.items()}
    cpu["feed"] = told["cpu_seconds"] * 1000 / tasks
    return Measured(seen.per_second, cpu, {name: used.peak_mib for name, used in after.items()}, told)
