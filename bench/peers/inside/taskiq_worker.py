"""The worker of the Taskiq peer: its receiver on uvloop in one process, which says when it is ready."""

from typing import Any

import uvloop
from taskiq.api import run_receiver_task

from bench.peers.inside import talk
from bench.peers.inside.taskiq_app import PREFETCHED, make_broker


async def work(settings: dict[str, Any]) -> None:
    """Receive until cancelled. Acknowledged when the result is stored, which is the default."""
    broker = make_broker(settings)
    broker.is_worker_process = True
    await broker.startup()
    talk.say("ready")
    await run_receiver_task(broker, max_async_tasks=settings["concurrency"], max_prefetch=PREFETCHED)


def main() -> None:
    """Work until told to stop."""
    settings = talk.settings()
    talk.end_with_starter()
    uvloop.run(work(settings))


if __name__ == "__main__":
    main()
