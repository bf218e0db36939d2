"""Latency at a steady rate: accepted → handler start by the handler's own clock, accepted → completed in the view."""

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.diary import read, until_completed
from bench.end_to_end import LIMIT_SECONDS, PREFETCH, feed
from bench.stand import Stand
from bench.tasks import VARIABLE
from tests.support.stack import PARTITIONS

CONCURRENCY = 5
SETTLE_SECONDS = 2.0
WARM_SECONDS = 5.0
"""Load of the same rate before anything is measured: what runs for the first time takes longer, in Kafka above all."""

VIEW_SAMPLES = 200
VIEW_POLL_SECONDS = 0.002


@dataclass(frozen=True)
class Measured:
    """Quantiles in milliseconds by what was measured."""

    to_start: dict[str, float]
    to_view: dict[str, float]


async def measure(stand: Stand, per_second: float, seconds: int) -> Measured:
    """Open loop through `consume-event`."""
    starts = Path(stand.made.folder) / "starts"
    stand.made.surroundings[VARIABLE] = str(starts)
    tasks = int(per_second * seconds)
    topic = stand.made.names.lifecycle_topic
    slots = {"WORKER__CONCURRENCY": str(CONCURRENCY), "WORKER__PREFETCH": str(PREFETCH)}
    worker, streams = stand.made.start("worker", **slots), stand.made.start("all")
    await stand.ready([worker, streams])
    await asyncio.sleep(SETTLE_SECONDS)
    warm = int(per_second * WARM_SECONDS)
    await feed(stand, "events", "warm", warm, per_second)
    await until_completed(streams.url, warm, LIMIT_SECONDS)
    feeding = asyncio.create_task(feed(stand, "events", "l", tasks, per_second))
    seen = asyncio.create_task(_seen_completed(streams.url, tasks, per_second))
    await feeding
    await until_completed(streams.url, warm + tasks, LIMIT_SECONDS)
    completed = await seen
    accepted = (await read(stand.endpoints.kafka, topic, PARTITIONS, "l")).accepted
    begun = dict(line.split() for line in starts.read_text().splitlines())
    to_start = [int(at) / 1e6 - accepted[task_id] for task_id, at in begun.items() if task_id in accepted]
    to_view = [at - accepted[task_id] for task_id, at in completed.items()]
    return Measured(_quantiles(to_start), _quantiles(to_view))


async def _seen_completed(url: str, tasks: int, per_second: float) -> dict[str, float]:
    """When some tasks were first seen completed in the diary's view, in milliseconds since the epoch."""
    chosen = sorted(random.Random(1).sample(range(tasks), min(VIEW_SAMPLES, tasks)))
    begun = time.monotonic()
    found: dict[str, float] = {}
    async with aiohttp.ClientSession() as session:
        for number in chosen:
            await asyncio.sleep(max(begun + number / per_second - time.monotonic(), 0))
            end = time.monotonic() + 10
            while time.monotonic() < end:
                async with session.get(f"{url}/v1/tasks/l{number}") as answer:
                    if answer.status == 200 and (await answer.json())["state"] == "COMPLETED":
                        found[f"l{number}"] = time.time() * 1000
                        break
                await asyncio.sleep(VIEW_POLL_SECONDS)
    return found


def _quantiles(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {f"p{share * 100:g}": ranked[int(share * (len(ranked) - 1))] for share in (0.5, 0.99, 0.999)}
