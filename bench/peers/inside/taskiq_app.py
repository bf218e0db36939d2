"""The Taskiq broker that producer and worker share, as its documentation tells one to build it."""

from typing import Any

from taskiq.serializers import ORJSONSerializer
from taskiq_aio_pika import AioPikaBroker
from taskiq_aio_pika.exchange import Exchange
from taskiq_aio_pika.queue import Queue, QueueType
from taskiq_redis import RedisAsyncResultBackend

from bench.peers.inside.tasks import NAME, began

PREFETCHED = 250
"""Messages that the worker holds at once, or twice its concurrency if that is more."""


def names(run: str) -> tuple[str, str]:
    """Queue and dead-letter queue of a run; the exchange is called as the queue."""
    return run, f"{run}.dead"


def prefix(run: str) -> str:
    """What the keys of its results begin with."""
    return run


def make_broker(settings: dict[str, Any]) -> AioPikaBroker:
    """The broker of one run. Messages are persistent and confirmed, which are its defaults."""
    queue, dead = names(settings["run"])
    kind = QueueType(settings.get("queue_type", "quorum"))
    broker = AioPikaBroker(
        settings["rabbitmq_url"],
        qos=max(PREFETCHED, 2 * settings["concurrency"]),
        exchange=Exchange(name=queue),
        task_queues=[Queue(name=queue, type=kind)],
        dead_letter_queue=Queue(name=dead, type=kind),
    )
    results: RedisAsyncResultBackend[float] = RedisAsyncResultBackend(
        settings["redis_url"],
        result_ex_time=3600,
        serializer=ORJSONSerializer(),
        prefix_str=prefix(settings["run"]),
    )
    broker = broker.with_result_backend(results).with_serializer(ORJSONSerializer())

    @broker.task(task_name=NAME)
    async def noop(payload: dict[str, Any], since: float) -> float:
        return began(since)

    return broker
